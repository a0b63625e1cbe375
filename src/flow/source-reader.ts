/**
 * Reads the partitions of one flow from the source: one loop and one connection per leading broker,
 * one long-polling fetch at a time. The order of partitions turns with every fetch, so that a hot
 * one cannot starve the others; nothing is fetched while the bytes in flight have reached their
 * bound.
 */
import { setMaxListeners } from 'node:events';
import { isAborted } from '../base/clock.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { BrokerLink, FetchedPartition } from '../kafka/cluster.ts';
import { corrupt } from '../records/corrupt.ts';
import type { FlowContext } from './flow-context.ts';
import { IdlePoll } from './idle-poll.ts';
import type { PartitionCopy } from './partition-copy.ts';

const fetchBytesMax = 8 * 1024 * 1024;
const partitionBytesMax = 4 * 1024 * 1024;
/** Once could be chance: what there is and what is given are not read at one instant. */
const emptyAnswersMax = 3;

interface BrokerLoop {
  readonly copies: Set<PartitionCopy>;
  readonly poll: IdlePoll;
  wake: () => void;
}

export class SourceReader {
  readonly #context: FlowContext;
  readonly #copies = new Set<PartitionCopy>();
  readonly #loops = new Map<number, BrokerLoop>();
  readonly #running = new Set<Promise<void>>();
  readonly #emptyAnswers = new Map<PartitionCopy, number>();
  #signal: AbortSignal | undefined;
  #why: string | undefined;

  constructor(context: FlowContext) {
    this.#context = context;
  }

  /** Why the source does not answer; undefined while it does. */
  get why(): string | undefined {
    return this.#why;
  }

  add(copy: PartitionCopy): void {
    this.#copies.add(copy);
    this.#assign(copy);
  }

  remove(copy: PartitionCopy): void {
    this.#copies.delete(copy);
    this.#emptyAnswers.delete(copy);
    for (const loop of this.#loops.values()) loop.copies.delete(copy);
  }

  /** A partition may want to be fetched again: its queue has drained. */
  wake(): void {
    this.#wakeAll();
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    // Each loop listens for the end, and there is one per broker: more than Node's limit for leaks.
    setMaxListeners(0, stop.signal);
    this.#signal = stop.signal;
    const stopListening = [
      this.#context.source.onChange(() => this.#reassign()),
      this.#context.controls.onChange(() => this.#wakeAll()),
    ];
    this.#reassign();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stop.abort();
    for (const stopOne of stopListening) stopOne();
    this.#wakeAll();
    await Promise.all(this.#running);
  }

  #wakeAll(): void {
    for (const loop of this.#loops.values()) this.#wake(loop);
  }

  #wake(loop: BrokerLoop): void {
    loop.wake();
    loop.poll.interruptFor(loop.copies, (copy) => this.#isWanted(copy));
  }

  #isWanted(copy: PartitionCopy): boolean {
    return copy.wantsFetch && !this.#isPaused(copy);
  }

  #reassign(): void {
    for (const loop of this.#loops.values()) loop.copies.clear();
    for (const copy of this.#copies) {
      copy.releaseHold();
      this.#assign(copy, false);
    }
    this.#wakeAll();
  }

  #assign(copy: PartitionCopy, mayWake = true): void {
    const leader = this.#context.source.leader(copy.id.topic, copy.id.partition);
    const signal = this.#signal;
    if (leader === undefined || signal === undefined || signal.aborted) return;
    let loop = this.#loops.get(leader);
    if (loop === undefined) {
      const poll = new IdlePoll(this.#context.timings.fetchWaitMs);
      loop = { copies: new Set(), poll, wake: () => undefined };
      this.#loops.set(leader, loop);
      const running = this.#read(leader, loop, signal);
      this.#running.add(running);
    }
    loop.copies.add(copy);
    if (mayWake) this.#wake(loop);
  }

  async #read(brokerId: number, loop: BrokerLoop, signal: AbortSignal): Promise<void> {
    const { deps, source, settings } = this.#context;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 5_000 }, deps.clock);
    let link: BrokerLink | undefined;
    let turn = 0;
    const onAbort = (): void => void link?.[Symbol.asyncDispose]();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      await this.#context.budget.room(signal);
      await this.#context.controls.rate.ready(signal);
      const wanted = [...loop.copies].filter((copy) => this.#isWanted(copy));
      if (wanted.length === 0) {
        await this.#sleepUntilWoken(loop, signal);
        continue;
      }
      try {
        if (link?.isOpen !== true) link = await source.cluster.openLink(brokerId, 'fetch');
        turn += 1;
        loop.poll.end(await this.#fetchOnce(link, wanted, turn, loop.poll.begin(wanted, link)));
        backoff.reset();
        this.#why = undefined;
      } catch (error) {
        await link?.[Symbol.asyncDispose]();
        link = undefined;
        if (isMeshError(error, 'aborted') || isAborted(signal)) break;
        if (loop.poll.fail()) continue;
        this.#why = errorMessage(error);
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        deps.log[level]({ flow: settings.id, broker: brokerId, why: this.#why }, 'fetch failed');
        source.invalidate();
        await backoff.wait(signal).catch(() => undefined);
      }
    }
    await link?.[Symbol.asyncDispose]();
  }

  async #fetchOnce(
    link: BrokerLink,
    wanted: readonly PartitionCopy[],
    turn: number,
    maxWaitMs: number,
  ): Promise<number> {
    const first = turn % wanted.length;
    const ordered = [...wanted.slice(first), ...wanted.slice(0, first)];
    const asked = new Map<string, { copy: PartitionCopy; offset: number }>();
    const partitions = ordered.map((copy) => {
      const { topic, partition } = copy.id;
      const offset = copy.fetchPosition;
      asked.set(`${topic}/${partition}`, { copy, offset });
      const { fetchLife } = copy;
      return {
        topic,
        partition,
        offset: BigInt(offset),
        bytesMax: partitionBytesMax,
        ...fetchLife,
      };
    });
    const response = await link.fetch({
      partitions,
      maxWaitMs,
      minBytes: 1,
      maxBytes: Math.min(fetchBytesMax, this.#context.controls.rate.fetchBytes),
      isolation: 'read_committed',
    });
    try {
      const { rate } = this.#context.controls;
      const bytes = response.partitions.reduce((sum, { records }) => sum + records.length, 0);
      rate.take(bytes);
      for (const fetched of response.partitions) {
        const found = asked.get(`${fetched.topic}/${fetched.partition}`);
        // What a long poll brings after a pause began is fetched again when it is over.
        if (found === undefined || this.#isPaused(found.copy)) continue;
        await found.copy.onFetched(fetched, found.offset);
        if (found.copy === ordered[0]) this.#checkGiven(found.copy, found.offset, fetched);
      }
      return bytes;
    } finally {
      response.release();
    }
  }

  /**
   * Of the partition that is asked for first a broker gives a batch, if there is one, whatever the
   * limits. When there should be one, and none comes, its log is damaged in a way that ends its own
   * search: it says nothing of that.
   */
  #checkGiven(copy: PartitionCopy, offset: number, fetched: FetchedPartition): void {
    const { errorCode, records, lastStableOffset } = fetched;
    const isEmpty = errorCode === 0 && records.length === 0 && offset < Number(lastStableOffset);
    const count = isEmpty ? (this.#emptyAnswers.get(copy) ?? 0) + 1 : 0;
    this.#emptyAnswers.set(copy, count);
    if (count < emptyAnswersMax || copy.fetchPosition !== offset) return;
    const { from } = this.#context.settings;
    const text = `${from} has offsets up to ${lastStableOffset}, and gives none`;
    copy.lose(corrupt(`${copy.id.topic}/${copy.id.partition}@${offset}`, text));
  }

  #isPaused({ id }: PartitionCopy): boolean {
    return this.#context.controls.pauseOf(id.topic, id.partition) !== undefined;
  }

  async #sleepUntilWoken(loop: BrokerLoop, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      loop.wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
