/**
 * How long a record takes from its producer at one site to a consumer at the other, at an even
 * rate. Both are this process, which has one clock; each record carries when it was written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { decodeBatches } from '../../src/records/decode-records.ts';
import { usageOf } from './process-usage.ts';
import type { Replicator } from './replicators.ts';
import { spreadText, table } from './report.ts';
import { say } from '../support/say.ts';
import type { Stage } from './stage.ts';
import { writeSteadily } from './steady-load.ts';

export interface LatencyPlan {
  readonly replicators: readonly Replicator[];
  /** Records a second, one after the other. */
  readonly rates: readonly number[];
  readonly bytesPerRecord: number;
  readonly seconds: number;
  readonly runs: number;
}

interface Found {
  readonly rate: number;
  readonly replicator: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly records: number;
  readonly cpuPercent: number;
}

const topic = 'load-latency';
const partitions = 4;
const batchesPerSecondMax = 500;
const warmUpMs = 5_000;
const firstMsMax = 120_000;

export async function latency(stage: Stage, plan: LatencyPlan): Promise<string> {
  const found: Found[] = [];
  for (const rate of plan.rates) {
    for (let run = 1; run <= plan.runs; run += 1) {
      for (const replicator of plan.replicators) {
        const one = await measure(stage, replicator, rate, plan);
        say(`  run ${run}: ${row([one]).join(', ')}`);
        found.push(one);
      }
    }
  }
  const rows = plan.rates.flatMap((rate) =>
    plan.replicators.map(({ name }) =>
      row(found.filter((one) => one.rate === rate && one.replicator === name)),
    ),
  );
  const head = ['records/s', 'replicator', 'p50, ms', 'p99, ms', 'at most, ms', 'CPU of a core, %'];
  return table(head, rows);
}

function row(all: readonly Found[]): string[] {
  const [first] = all;
  return [
    first?.rate.toLocaleString('en') ?? '',
    first?.replicator ?? '',
    spreadText(
      all.map(({ p50Ms }) => p50Ms),
      1,
    ),
    spreadText(
      all.map(({ p99Ms }) => p99Ms),
      1,
    ),
    spreadText(all.map(({ maxMs }) => maxMs)),
    spreadText(
      all.map(({ cpuPercent }) => cpuPercent),
      1,
    ),
  ];
}

async function measure(
  stage: Stage,
  replicator: Replicator,
  rate: number,
  { bytesPerRecord, seconds }: LatencyPlan,
): Promise<Found> {
  await stage.clean([]);
  await stage.makeTopic(topic, partitions);
  const running = await replicator.start(stage);
  const ended = new AbortController();
  const { signal } = ended;
  try {
    const perBatch = Math.max(1, Math.ceil(rate / batchesPerSecondMax));
    const load = { topic, partitions, batchesPerSecond: rate / perBatch };
    const nextBatch = (): Buffer => stampedBatch(perBatch, bytesPerRecord);
    const writing = writeSteadily(stage.east, { ...load, nextBatch }, signal);
    const arrivals = new Arrivals();
    const reading = arrivals.read(stage, signal);
    const failed = Promise.all([writing, reading]);
    await Promise.race([failed, arrivals.first(firstMsMax)]);
    await Promise.race([failed, sleep(warmUpMs)]);
    arrivals.begin();
    const before = usageOf(running.pid).cpuSeconds;
    await Promise.race([failed, sleep(seconds * 1000)]);
    const cpuPercent = ((usageOf(running.pid).cpuSeconds - before) / seconds) * 100;
    const taken = arrivals.end();
    ended.abort();
    await failed;
    const at = (share: number): number =>
      taken[Math.min(taken.length - 1, Math.floor(taken.length * share))] ?? NaN;
    const times = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
    return { rate, replicator: replicator.name, ...times, records: taken.length, cpuPercent };
  } finally {
    ended.abort();
    await running.stop();
  }
}

function stampedBatch(records: number, bytesPerRecord: number): Buffer {
  const value = Buffer.alloc(bytesPerRecord, 'x');
  value.writeDoubleBE(performance.now());
  const record = { key: null, value, timestampMs: Date.now() };
  return encodeBatch(Array.from({ length: records }, () => record));
}

/** What comes to the target, long-polled, and how old it is then. */
class Arrivals {
  #ages: number[] = [];
  #count = 0;
  #onFirst: () => void = () => undefined;

  async first(msMax: number): Promise<void> {
    const arrived = new Promise<'arrived'>((resolve) => {
      this.#onFirst = () => resolve('arrived');
      if (this.#count > 0) resolve('arrived');
    });
    const late = sleep(msMax, 'late', { ref: false });
    if ((await Promise.race([arrived, late])) === 'late') {
      throw new Error(`nothing of ${topic} arrived within ${msMax / 1000} s`);
    }
  }

  begin(): void {
    this.#ages = [];
  }

  /** Ages in ms, ascending. */
  end(): number[] {
    const ages = this.#ages.sort((a, b) => a - b);
    this.#ages = [];
    return ages;
  }

  async read(stage: Stage, signal: AbortSignal): Promise<void> {
    const remote = `east.${topic}`;
    const isThere = async (): Promise<boolean> =>
      (await stage.west.metadata()).topics.get(remote)?.partitions.length === partitions;
    while (!signal.aborted && !(await isThere())) await sleep(200);
    if (signal.aborted) return;
    const broker = [...(await stage.west.metadata()).brokers.keys()][0] ?? 0;
    await using link = await stage.west.openLink(broker, 'bench');
    const positions = Array.from({ length: partitions }, () => 0n);
    while (!signal.aborted) {
      const response = await link.fetch({
        partitions: positions.map((offset, partition) => {
          return { topic: remote, partition, offset, bytesMax: 1024 * 1024 };
        }),
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 8 * 1024 * 1024,
        isolation: 'read_uncommitted',
      });
      try {
        for (const { partition, records } of response.partitions) {
          const next = this.#take(records);
          if (next !== undefined) positions[partition] = BigInt(next);
        }
      } finally {
        response.release();
      }
    }
  }

  #take(bytes: Buffer): number | undefined {
    let next: number | undefined;
    for (const { isControl, lastOffset, records } of decodeBatches(bytes, topic)) {
      next = lastOffset + 1;
      if (isControl) continue;
      const nowMs = performance.now();
      for (const { value } of records) this.#ages.push(nowMs - (value?.readDoubleBE() ?? NaN));
      if (this.#count === 0) this.#onFirst();
      this.#count += records.length;
    }
    return next;
  }
}
