/**
 * Counters and gauges that cost an addition to raise. The agent's telemetry reads them when it is
 * scraped; nothing here knows OpenTelemetry, and nothing is done per record.
 */
export type Labels = Readonly<Record<string, string>>;

export type MetricType = 'counter' | 'gauge';

export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** A UCUM unit, such as `By` or `s`; empty for plain counts. */
  readonly unit: string;
}

export interface MetricSample {
  readonly labels: Labels;
  readonly value: number;
}

export class Counter {
  value = 0;
  add(amount = 1): void {
    this.value += amount;
  }
}

export class Gauge {
  value = 0;
  set(value: number): void {
    this.value = value;
  }
}

interface Series<T> {
  readonly labels: Labels;
  readonly cell: T;
}

class Family {
  readonly meta: MetricFamily;
  readonly #series = new Map<string, Series<Counter | Gauge>>();
  readonly #collectors = new Set<() => Iterable<MetricSample>>();

  constructor(meta: MetricFamily) {
    this.meta = meta;
  }

  cell<T extends Counter | Gauge>(labels: Labels, create: () => T): T {
    const key = JSON.stringify(Object.entries(labels).sort());
    const found = this.#series.get(key);
    // A family has one type, checked when it was declared, so the cell has it too.
    if (found !== undefined) return found.cell as T;
    const cell = create();
    this.#series.set(key, { labels, cell });
    return cell;
  }

  collect(collector: () => Iterable<MetricSample>): () => void {
    this.#collectors.add(collector);
    return () => this.#collectors.delete(collector);
  }

  *samples(): Iterable<MetricSample> {
    for (const { labels, cell } of this.#series.values()) yield { labels, value: cell.value };
    for (const collector of this.#collectors) yield* collector();
  }
}

export class MetricRegistry {
  readonly #families = new Map<string, Family>();
  #onFamily: ((family: MetricFamily) => void) | undefined;

  counter(meta: Omit<MetricFamily, 'type'>, labels: Labels = {}): Counter {
    return this.#family({ ...meta, type: 'counter' }).cell(labels, () => new Counter());
  }

  gauge(meta: Omit<MetricFamily, 'type'>, labels: Labels = {}): Gauge {
    return this.#family({ ...meta, type: 'gauge' }).cell(labels, () => new Gauge());
  }

  /** Samples computed at scrape time; the function returned removes the collector again. */
  collect(meta: MetricFamily, collector: () => Iterable<MetricSample>): () => void {
    return this.#family(meta).collect(collector);
  }

  samples(name: string): Iterable<MetricSample> {
    return this.#families.get(name)?.samples() ?? [];
  }

  /** Tells of every family, those that exist and those to come: the exporter registers them. */
  onFamily(listener: (family: MetricFamily) => void): void {
    this.#onFamily = listener;
    for (const family of this.#families.values()) listener(family.meta);
  }

  #family(meta: MetricFamily): Family {
    const found = this.#families.get(meta.name);
    if (found !== undefined) return found;
    const family = new Family(meta);
    this.#families.set(meta.name, family);
    this.#onFamily?.(meta);
    return family;
  }
}
