/**
 * The stage of the oracle: sites with agents, and at each of them topics of every kind, which are
 * written, killed under load, compacted, cut and made anew. What stands in the logs is read whole.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deleteRecords } from '../../src/kafka/delete-records.ts';
import { Lineage } from '../support/lineage.ts';
import {
  NumberedLog,
  readNumbered,
  writeTransactions,
  type Dress,
} from '../support/numbered-log.ts';
import type { OwnMesh } from '../support/own-mesh.ts';
import { Seeded } from '../support/seeded.ts';
import { makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

export const kinds = [
  'plain',
  'transactional',
  'compacted',
  'trimmed',
  'killed',
  'recreated',
] as const;
export type Kind = (typeof kinds)[number];

export const partitions = 2;
const dayMs = '86400000';
const compactedKeys = 40;
const compactedConfigs = {
  'cleanup.policy': 'compact',
  'segment.ms': '1000',
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': dayMs,
  'min.compaction.lag.ms': dayMs,
};

/** A partition where it is born, and all that is known of it elsewhere. */
export interface Born {
  readonly kind: Kind;
  readonly log: NumberedLog;
  readonly lineage: Lineage;
}

export interface StageOptions {
  readonly kinds: readonly Kind[];
  readonly seed: number;
  /** In each partition, about. */
  readonly records: number;
}

export class OracleStage {
  readonly mesh: OwnMesh;
  readonly random: Seeded;
  readonly born: readonly Born[];
  readonly #records: number;
  #compactedRound = 0;

  constructor(mesh: OwnMesh, options: StageOptions) {
    this.mesh = mesh;
    this.random = new Seeded(options.seed);
    this.#records = options.records;
    this.born = options.kinds.flatMap((kind) =>
      mesh.names.flatMap((site) =>
        Array.from({ length: partitions }, (_, partition): Born => {
          const log = new NumberedLog(mesh.cluster(site), kind, partition);
          return { kind, log, lineage: new Lineage(site, kind, partition) };
        }),
      ),
    );
  }

  has(kind: Kind): boolean {
    return this.born.some((one) => one.kind === kind);
  }

  of(kind: Kind, site?: string): Born[] {
    const isThere = ({ lineage }: Born): boolean => site === undefined || lineage.origin === site;
    return this.born.filter((one) => one.kind === kind && isThere(one));
  }

  /** Topics; of compacted ones a part that was cleaned before it is ever copied. */
  async begin(): Promise<void> {
    for (const kind of new Set(this.born.map((one) => one.kind))) {
      const configs = kind === 'compacted' ? compactedConfigs : {};
      const make = this.mesh.names.map((site) =>
        makeTopic(this.mesh.cluster(site), kind, partitions, configs),
      );
      await Promise.all(make);
    }
    if (!this.has('compacted')) return;
    await this.#writeCompacted();
    await this.observe((one, site) => one.kind === 'compacted' && site === one.lineage.origin);
    await this.#clean((one, site) => site === one.lineage.origin);
    await this.#setCompactionLag(dayMs, (one, site) => site === one.lineage.origin);
  }

  /** Half of what is to be written. */
  async write(): Promise<void> {
    const half = Math.ceil(this.#records / 2);
    const steady: readonly Kind[] = ['plain', 'trimmed', 'killed', 'recreated'];
    const writing = this.mesh.names.map(async (site) => {
      for (const kind of steady) {
        for (const { log } of this.of(kind, site)) await log.append(half, this.random);
      }
      await this.#writeTransactions(site, half);
    });
    await Promise.all(writing);
    if (this.has('compacted')) await this.#writeCompacted();
  }

  /** Writes to the topics of kind killed until it is told to stop. */
  async load(signal: AbortSignal): Promise<void> {
    const writing = this.of('killed').map(async ({ log }) => {
      while (!signal.aborted) {
        await log.append(this.random.int(1, 60), this.random);
        await sleep(this.random.int(1, 40));
      }
    });
    await Promise.all(writing);
  }

  /** Everything that was written is at every site. */
  async crossed(): Promise<void> {
    const logs = this.born.map(({ lineage: { origin: site, topic, partition } }) => {
      return { site, topic, partition };
    });
    await this.mesh.crossed(logs);
    for (const one of this.of('recreated')) await this.#lastCrossed(one);
  }

  /** Offsets say nothing of a topic that was made anew: its last record does. */
  async #lastCrossed({ log, lineage }: Born): Promise<void> {
    const { origin, partition } = lineage;
    for (const site of this.mesh.names.filter((name) => name !== origin)) {
      const name = lineage.nameAt(site);
      const isThere = async (): Promise<boolean> => {
        const { records } = await readNumbered(this.mesh.cluster(site), name, partition);
        return records.at(-1)?.id === log.count - 1;
      };
      await until(`record ${log.count - 1} in ${name}/${partition} at ${site}`, isThere, 60_000);
    }
  }

  /** Reads logs whole, of every site unless told. */
  async observe(isWanted: (one: Born, site: string) => boolean = () => true): Promise<void> {
    const reading = this.mesh.names.map(async (site) => {
      for (const one of this.born) {
        if (!isWanted(one, site)) continue;
        const { lineage } = one;
        const name = lineage.nameAt(site);
        const found = await readNumbered(this.mesh.cluster(site), name, lineage.partition);
        lineage.observe(site, found);
      }
    });
    await Promise.all(reading);
  }

  /** Cleaners run everywhere, the oldest records leave some logs, topics are made anew. */
  async disturb(): Promise<void> {
    if (this.has('compacted')) await this.#clean(() => true);
    for (const one of this.of('trimmed')) await this.#trim(one);
    if (this.has('recreated')) await this.#recreate();
    const half = Math.ceil(this.#records / 2);
    for (const kind of ['plain', 'recreated', 'trimmed'] as const) {
      for (const { log } of this.of(kind)) {
        // The second partition stays as empty as it was left.
        const isLeft = kind === 'trimmed' && log.partition === 1;
        if (!isLeft) await log.append(half, this.random);
      }
    }
  }

  async #writeTransactions(site: string, records: number): Promise<void> {
    const logs = this.of('transactional', site).map(({ log }) => log);
    if (logs.length === 0) return;
    const brokers = this.mesh.brokers(site);
    // Two pairs of sends, of six or so records a partition each.
    await writeTransactions(brokers, logs, Math.ceil(records / 50), this.random);
    for (const log of logs) await log.append(Math.ceil(records / 2), this.random);
  }

  /** Keys over and over, tombstones too, and a last one behind which the cleaner may go. */
  async #writeCompacted(): Promise<void> {
    for (const { log } of this.of('compacted')) {
      this.#compactedRound += 1;
      const startMs = Date.now() + this.#compactedRound * 20_000;
      const dress: Dress = (number) => ({
        key: Buffer.from(`key ${this.random.int(1, compactedKeys)}`),
        value: this.random.chance(0.1) ? null : Buffer.from(`record ${number}`),
        timestampMs: startMs,
      });
      await log.append(Math.ceil(this.#records / 4), this.random, dress);
      const last: Dress = (number) => ({
        key: Buffer.from(`last ${number}`),
        value: null,
        timestampMs: startMs + 10_000,
      });
      await log.append(1, this.random, last);
    }
  }

  /** Waits until the cleaner has taken something out of every log. */
  async #clean(isWanted: (one: Born, site: string) => boolean): Promise<void> {
    await this.#setCompactionLag('0', isWanted);
    for (const site of this.mesh.names) {
      for (const one of this.of('compacted').filter((born) => isWanted(born, site))) {
        const { lineage } = one;
        const name = lineage.nameAt(site);
        const before = lineage.log(site).ids.length;
        await until(
          `the cleaner to leave holes in ${name}/${lineage.partition} at ${site}`,
          async () => {
            const cluster = this.mesh.cluster(site);
            const found = await readNumbered(cluster, name, lineage.partition);
            return found.records.length < before * 0.8;
          },
          60_000,
        );
      }
    }
  }

  async #setCompactionLag(
    ms: string,
    isWanted: (one: Born, site: string) => boolean,
  ): Promise<void> {
    for (const site of this.mesh.names) {
      for (const one of this.of('compacted')) {
        if (one.lineage.partition > 0 || !isWanted(one, site)) continue;
        const name = one.lineage.nameAt(site);
        await this.mesh.cluster(site).alterTopicConfigs(name, { 'min.compaction.lag.ms': ms });
      }
    }
  }

  /** From the start of some logs, more at one copy than at the source; of one source all of it. */
  async #trim({ lineage }: Born): Promise<void> {
    const { origin, partition } = lineage;
    const [first = origin, second = origin] = this.mesh.names.filter((site) => site !== origin);
    const shares: [site: string, share: number][] =
      partition === 0
        ? [
            [origin, 0.4],
            [first, 0.6],
          ]
        : [
            [origin, 1],
            [second, 0.3],
          ];
    for (const [site, share] of shares) {
      const { end } = lineage.log(site);
      const at = { topic: lineage.nameAt(site), partition };
      await deleteRecords(this.mesh.cluster(site), at, BigInt(Math.floor(end * share)));
    }
  }

  async #recreate(): Promise<void> {
    for (const site of this.mesh.names) {
      const cluster = this.mesh.cluster(site);
      await cluster.deleteTopics(['recreated']);
      const isGone = async (): Promise<boolean> =>
        !(await cluster.metadata()).topics.has('recreated');
      await until('the topic to be gone', isGone);
      await makeTopic(cluster, 'recreated', partitions);
      for (const { lineage } of this.of('recreated', site)) lineage.forget(site);
    }
  }
}
