/** Throughput of a flow: raised per batch, read by status and metrics. */
import type { Clock } from '../base/clock.ts';
import type { Counter, MetricRegistry } from '../base/metrics.ts';

interface Reading {
  readonly atMs: number;
  readonly records: number;
  readonly bytes: number;
  readonly lag: number;
}

export interface Rates {
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly trendRecordsPerSecond: number;
}

const readingsKept = 6;

export class FlowMeter {
  readonly #clock: Clock;
  readonly #records: Counter;
  readonly #bytes: Counter;
  readonly #fetchedBytes: Counter;
  readonly #readings: Reading[] = [];

  constructor(flow: string, clock: Clock, metrics: MetricRegistry) {
    this.#clock = clock;
    const labels = { flow };
    this.#records = metrics.counter(
      { name: 'causeway_flow_records', help: 'Records acknowledged by the target.', unit: '' },
      labels,
    );
    this.#bytes = metrics.counter(
      { name: 'causeway_flow_bytes', help: 'Bytes of batches acknowledged.', unit: 'By' },
      labels,
    );
    this.#fetchedBytes = metrics.counter(
      { name: 'causeway_flow_fetched_bytes', help: 'Bytes read from the source.', unit: 'By' },
      labels,
    );
  }

  fetched(bytes: number): void {
    this.#fetchedBytes.add(bytes);
  }

  copied(records: number, bytes: number): void {
    this.#records.add(records);
    this.#bytes.add(bytes);
  }

  /** Called once a second by the flow. */
  read(lag: number): void {
    this.#readings.push({
      atMs: this.#clock.monotonicMs(),
      records: this.#records.value,
      bytes: this.#bytes.value,
      lag,
    });
    if (this.#readings.length > readingsKept) this.#readings.shift();
  }

  rates(): Rates {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1000;
    if (first === undefined || last === undefined || seconds <= 0) {
      return { recordsPerSecond: 0, bytesPerSecond: 0, trendRecordsPerSecond: 0 };
    }
    return {
      recordsPerSecond: (last.records - first.records) / seconds,
      bytesPerSecond: (last.bytes - first.bytes) / seconds,
      trendRecordsPerSecond: (last.lag - first.lag) / seconds,
    };
  }
}
