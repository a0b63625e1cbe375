/**
 * Reads the target's own log back: what of a source partition is in it, and where.
 *
 * Only a stamp in a batch of one of our producer ids counts: an application that copies headers can
 * forge a stamp, not the id. Read uncommitted, since our records are not transactional.
 */
import { MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { TopicPartition } from '../kafka/cluster.ts';
import type { Run } from '../offsets/run.ts';
import { scanOrigins } from '../records/scan-origins.ts';
import type { FlowContext } from './flow-context.ts';
import type { LinkShelf } from './link-shelf.ts';

const fetchBytes = 4 * 1024 * 1024;
const windowFirst = 1_000;
const windowGrowth = 8;

export interface StampFilter {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  readonly producerIds: ReadonlySet<bigint>;
}

export interface TailFound {
  /** Runs of ours, of the generation asked for, ascending on both sides. */
  readonly runs: readonly Run[];
  /** Target offsets of records that are not ours: somebody else wrote them. */
  readonly foreign: readonly OffsetRange[];
  /** Whether there are records of ours of another generation. */
  readonly hasOtherLife: boolean;
  /** True when there was any record at all, ours or not; markers do not count. */
  readonly hasRecords: boolean;
}

export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

interface Gathered {
  readonly runs: Run[];
  readonly foreign: OffsetRange[];
  hasOtherLife: boolean;
  hasRecords: boolean;
}

export class TailReader {
  readonly #context: FlowContext;
  readonly #links: LinkShelf;
  readonly #remote: TopicPartition;
  readonly #filter: StampFilter;

  constructor(context: FlowContext, links: LinkShelf, remote: TopicPartition, filter: StampFilter) {
    this.#context = context;
    this.#links = links;
    this.#remote = remote;
    this.#filter = filter;
  }

  /** Everything of ours in target offsets [from, to). */
  async read(from: number, to: number, signal: AbortSignal): Promise<TailFound> {
    const found: Gathered = { runs: [], foreign: [], hasOtherLife: false, hasRecords: false };
    let offset = from;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 2_000 }, this.#context.deps.clock);
    while (offset < to) {
      const chunk = await this.#fetch(offset, signal);
      if (chunk === undefined) {
        if (backoff.attempts > 20) throw this.#unreadable(offset, to);
        await backoff.wait(signal);
        continue;
      }
      this.#collect(chunk.records, offset, to, found);
      offset = chunk.next;
      chunk.release();
    }
    return found;
  }

  /**
   * The newest stamp of ours in [from, to), looked for from the end in growing windows. Behind one
   * of an earlier generation there is none: generations follow each other in the log.
   */
  async last(
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<{
    readonly run: Run | undefined;
    readonly hasRecords: boolean;
    readonly hasOtherLife: boolean;
  }> {
    let end = to;
    let hasRecords = false;
    for (let size = windowFirst; end > from; size *= windowGrowth) {
      const begin = Math.max(from, end - size);
      const { runs, hasOtherLife, ...found } = await this.read(begin, end, signal);
      hasRecords ||= found.hasRecords;
      const run = runs.at(-1);
      if (run !== undefined || hasOtherLife) return { run, hasRecords, hasOtherLife };
      end = begin;
    }
    return { run: undefined, hasRecords, hasOtherLife: false };
  }

  #collect(records: Buffer, from: number, to: number, gathered: Gathered): void {
    const { runs, foreign } = gathered;
    for (const found of scanOrigins(records, from)) {
      if (found.targetOffset >= to) break;
      gathered.hasRecords = true;
      const { origin, targetOffset } = found;
      const length = Math.min(found.length, to - targetOffset);
      if (origin === undefined || !this.#isOurs(origin, found.producerId)) {
        const before = foreign.at(-1);
        const isNext = before?.to === targetOffset;
        const range = { from: isNext ? before.from : targetOffset, to: targetOffset + length };
        foreign.splice(isNext ? -1 : foreign.length, isNext ? 1 : 0, range);
        continue;
      }
      if (origin.generation !== this.#filter.generation) {
        gathered.hasOtherLife = true;
        continue;
      }
      const before = runs.at(-1);
      const sourceOffset = origin.offset;
      const isNext =
        before !== undefined &&
        before.sourceOffset + before.length === sourceOffset &&
        before.targetOffset + before.length === targetOffset;
      if (isNext) runs[runs.length - 1] = { ...before, length: before.length + length };
      else runs.push({ sourceOffset, targetOffset, length });
    }
  }

  #isOurs(origin: { site: string; topic: string; partition: number }, producerId: bigint): boolean {
    const wanted = this.#filter;
    return (
      origin.site === wanted.site &&
      origin.topic === wanted.topic &&
      origin.partition === wanted.partition &&
      wanted.producerIds.has(producerId)
    );
  }

  async #fetch(
    offset: number,
    signal: AbortSignal,
  ): Promise<{ records: Buffer; next: number; release: () => void } | undefined> {
    const { target } = this.#context;
    const { topic, partition } = this.#remote;
    const leader = target.leader(topic, partition);
    if (leader === undefined) {
      await target.refresh(signal);
      return undefined;
    }
    const link = await this.#links.get(leader);
    const response = await link.fetch({
      partitions: [{ topic, partition, offset: BigInt(offset), bytesMax: fetchBytes }],
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: fetchBytes,
      isolation: 'read_uncommitted',
    });
    const found = response.partitions[0];
    const next = found === undefined ? offset : endOfBatches(found.records, offset);
    if (found?.errorCode !== 0 || next <= offset) {
      response.release();
      target.invalidate();
      return undefined;
    }
    return { records: found.records, next, release: () => response.release() };
  }

  #unreadable(offset: number, to: number): MeshError {
    const { topic, partition } = this.#remote;
    return new MeshError(
      'kafka_unavailable',
      `cannot read ${topic}/${partition} [${offset}, ${to}) at ${this.#context.settings.to}`,
    );
  }
}

/** The offset behind the last complete batch; `from` when there is none. */
function endOfBatches(records: Buffer, from: number): number {
  let next = from;
  for (let at = 0; at + 61 <= records.length;) {
    const size = 12 + records.readInt32BE(at + 8);
    if (at + size > records.length) break;
    next = Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1;
    at += size;
  }
  return next;
}
