/**
 * Reads the target's own log back: what of a source partition is in it, and where. Read
 * uncommitted, since our records are not transactional. What a batch is to us is tail-found.ts's
 * business.
 */
import { MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { TopicPartition } from '../kafka/cluster.ts';
import type { FlowContext } from './flow-context.ts';
import type { LinkShelf } from './link-shelf.ts';
import { findCopies, TailFound, type CopyFilter } from './tail-found.ts';

const fetchBytes = 2 * 1024 * 1024;
const windowFirst = 1_000;
const windowGrowth = 8;

export class TailReader {
  readonly #context: FlowContext;
  readonly #links: LinkShelf;
  readonly #remote: TopicPartition;
  readonly #filter: CopyFilter;

  constructor(context: FlowContext, links: LinkShelf, remote: TopicPartition, filter: CopyFilter) {
    this.#context = context;
    this.#links = links;
    this.#remote = remote;
    this.#filter = filter;
  }

  /** Everything of ours in target offsets [from, to). */
  async read(from: number, to: number, signal: AbortSignal): Promise<TailFound> {
    const { passes } = this.#context;
    const found = new TailFound();
    let offset = from;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 2_000 }, this.#context.deps.clock);
    while (offset < to) {
      const chunk = await this.#fetch(offset, signal);
      if (chunk === undefined) {
        if (backoff.attempts > 20) throw this.#unreadable(offset, to);
        await backoff.wait(signal);
        continue;
      }
      try {
        found.add(findCopies(chunk.records, { from: offset, to }, this.#filter, passes));
      } finally {
        chunk.release();
      }
      offset = chunk.next;
    }
    return found;
  }

  /**
   * The end of [from, to) as far back as it takes to find the newest copy of ours, in growing
   * windows; all of it when there is none. Behind one of an earlier generation there is none of
   * this: generations follow each other in the log.
   */
  async last(from: number, to: number, signal: AbortSignal): Promise<TailFound> {
    let found = new TailFound();
    let end = to;
    for (let size = windowFirst; end > from; size *= windowGrowth) {
      const begin = Math.max(from, end - size);
      const earlier = await this.read(begin, end, signal);
      earlier.add(found);
      found = earlier;
      if (found.hasOurs || found.isLost) break;
      end = begin;
    }
    return found;
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
