/**
 * Reads the partitions of one flow from the source: per leading broker one connection that
 * long-polls what is nearly current, and some more, as long as they are needed, for what is far
 * behind (fetch-lanes.ts). The order of partitions turns with every fetch, so that a hot one cannot
 * starve the others; nothing is fetched while the bytes in flight have reached their bound.
 */
import { isAborted } from '../base/clock.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { BrokerLink, FetchedPartition, FetchResponse } from '../kafka/cluster.ts';
import { corrupt } from '../records/corrupt.ts';
import { bulkLanes, FetchLanes } from './fetch-lanes.ts';
import type { FlowContext } from './flow-context.ts';
import type { PartitionCopy } from './partition-copy.ts';

/** With what is around the records it still fits into 8 MiB, a size that the pool keeps. */
const fetchBytesMax = 8 * 1024 * 1024 - 256 * 1024;
const fetchesPerSecond = 4;
const partitionBytesMax = 4 * 1024 * 1024;
/** Once could be chance: what there is and what is given are not read at one instant. */
const emptyAnswersMax = 3;
/** While others are catching up: so that they are soon among those that are long-polled. */
const shortWaitMs = 100;
/** A connection that was needed for catching up only is closed after so long without use. */
const idleMsMax = 30_000;

type Lanes = FetchLanes<PartitionCopy>;

export class SourceReader {
  readonly #context: FlowContext;
  readonly #copies = new Set<PartitionCopy>();
  readonly #lanes = new Map<number, Lanes>();
  readonly #running = new Set<Promise<void>>();
  readonly #emptyAnswers = new Map<PartitionCopy, number>();
  #signal: AbortSignal | undefined;
  #isPaused = false;
  #isLimited = false;
  #why: string | undefined;

  constructor(context: FlowContext) {
    this.#context = context;
  }

  /** Why the source does not answer; undefined while it does. */
  get why(): string | undefined {
    return this.#why;
  }

  /** True while the flow's limit, and nothing else, makes it wait. */
  get isLimited(): boolean {
    return this.#isLimited;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#wakeAll();
  }

  add(copy: PartitionCopy): void {
    this.#copies.add(copy);
    this.#assign(copy);
  }

  remove(copy: PartitionCopy): void {
    this.#copies.delete(copy);
    this.#emptyAnswers.delete(copy);
    for (const lanes of this.#lanes.values()) lanes.delete(copy);
  }

  /** A partition may want to be fetched again: its queue has drained. */
  wake(): void {
    this.#wakeAll();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stopListening = this.#context.source.onChange(() => this.#reassign());
    this.#reassign();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stopListening();
    this.#wakeAll();
    await Promise.all(this.#running);
  }

  #wakeAll(): void {
    for (const lanes of this.#lanes.values()) lanes.wake();
  }

  #reassign(): void {
    for (const lanes of this.#lanes.values()) lanes.clear();
    for (const copy of this.#copies) {
      copy.releaseHold();
      this.#assign(copy);
    }
    this.#wakeAll();
  }

  #assign(copy: PartitionCopy): void {
    const leader = this.#context.source.leader(copy.id.topic, copy.id.partition);
    const signal = this.#signal;
    if (leader === undefined || signal === undefined || signal.aborted) return;
    let lanes = this.#lanes.get(leader);
    if (lanes === undefined) {
      lanes = new FetchLanes();
      this.#lanes.set(leader, lanes);
      for (let lane = 0; lane <= bulkLanes; lane += 1) {
        this.#running.add(this.#read(leader, lanes, lane > 0, signal));
      }
    }
    lanes.add(copy);
  }

  /** @param isBulk it only fetches what is far behind */
  async #read(brokerId: number, lanes: Lanes, isBulk: boolean, signal: AbortSignal): Promise<void> {
    const { deps, source } = this.#context;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 5_000 }, deps.clock);
    let link: BrokerLink | undefined;
    let turn = 0;
    const onAbort = (): void => void link?.[Symbol.asyncDispose]();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      await this.#context.budget.room(signal);
      const wanted = this.#claim(lanes, isBulk);
      if (wanted.length === 0) {
        if (isBulk) await this.#rest(lanes, link, signal);
        else await lanes.sleep(signal);
        continue;
      }
      let bytes = 0;
      try {
        if (link?.isOpen !== true) link = await source.cluster.openLink(brokerId, 'fetch');
        turn += 1;
        const first = turn % wanted.length;
        const ordered = [...wanted.slice(first), ...wanted.slice(0, first)];
        const waitMs = lanes.hasBulk ? shortWaitMs : Infinity;
        bytes = await this.#fetchOnce(link, ordered, isBulk, waitMs);
        backoff.reset();
        this.#why = undefined;
      } catch (error) {
        await link?.[Symbol.asyncDispose]();
        link = undefined;
        if (isMeshError(error, 'aborted') || isAborted(signal)) break;
        this.#noteFailure(brokerId, error);
        await backoff.wait(signal).catch(() => undefined);
      } finally {
        lanes.giveBack(wanted, isBulk);
      }
      await this.#throttle(bytes, signal);
    }
    await link?.[Symbol.asyncDispose]();
  }

  /** Under a limit there is one request at a time: waiting after each is what keeps to it. */
  #claim(lanes: Lanes, isBulk: boolean): readonly PartitionCopy[] {
    if (this.#isPaused) return [];
    const isShared = this.#limit === undefined;
    if (!isBulk) return lanes.claimAll(isShared);
    return isShared ? lanes.claimBulk() : [];
  }

  get #limit(): number | undefined {
    return this.#context.settings.limit.bytesPerSecond;
  }

  #noteFailure(broker: number, error: unknown): void {
    const { deps, settings, source } = this.#context;
    // Once, whichever connection finds it first.
    const level = this.#why === undefined ? 'warn' : 'debug';
    this.#why = errorMessage(error);
    deps.log[level]({ flow: settings.id, broker, why: this.#why }, 'fetch failed');
    source.invalidate();
  }

  /** Until there is something to do; a connection is not kept for long meanwhile. */
  async #rest(lanes: Lanes, link: BrokerLink | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context.deps;
    const stop =
      link?.isOpen === true
        ? clock.after(idleMsMax, () => void link[Symbol.asyncDispose]())
        : () => undefined;
    await lanes.sleep(signal);
    stop();
  }

  async #fetchOnce(
    link: BrokerLink,
    ordered: readonly PartitionCopy[],
    isBulk: boolean,
    waitMsMax: number,
  ): Promise<number> {
    const maxBytes = this.#fetchBytes();
    const bytesMax = isBulk
      ? Math.max(partitionBytesMax, Math.floor(maxBytes / ordered.length))
      : partitionBytesMax;
    const asked = new Map<string, { copy: PartitionCopy; offset: number }>();
    const partitions = ordered.map((copy) => {
      const { topic, partition } = copy.id;
      const offset = copy.fetchPosition;
      asked.set(`${topic}/${partition}`, { copy, offset });
      return { topic, partition, offset: BigInt(offset), bytesMax };
    });
    const { timings, budget } = this.#context;
    // What is surely coming is in flight already; a long poll mostly brings little.
    const expected = isBulk ? maxBytes : 0;
    budget.take(expected);
    let response: FetchResponse | undefined;
    try {
      response = await link.fetch({
        partitions,
        maxWaitMs: Math.min(timings.fetchWaitMs, waitMsMax),
        minBytes: 1,
        maxBytes,
        isolation: 'read_committed',
      });
      let bytes = 0;
      // What a long poll brings after the flow was paused is fetched again when it goes on.
      for (const fetched of this.#isPaused ? [] : response.partitions) {
        const found = asked.get(`${fetched.topic}/${fetched.partition}`);
        if (found === undefined) continue;
        await found.copy.onFetched(fetched, found.offset);
        if (found.copy === ordered[0]) this.#checkGiven(found.copy, found.offset, fetched);
        bytes += fetched.records.length;
      }
      return bytes;
    } finally {
      response?.release();
      budget.give(expected);
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

  /** Under a limit, little at a time: so that the ends of all partitions are seen often. */
  #fetchBytes(): number {
    return Math.min(fetchBytesMax, Math.ceil((this.#limit ?? Infinity) / fetchesPerSecond));
  }

  /** Keeps to the flow's limit by waiting as long as what was fetched may take. */
  async #throttle(bytes: number, signal: AbortSignal): Promise<void> {
    const bytesPerSecond = this.#limit;
    if (bytesPerSecond === undefined || bytes === 0) return;
    const { clock } = this.#context.deps;
    this.#isLimited = true;
    await clock.sleep((bytes / bytesPerSecond) * 1000, signal).catch(() => undefined);
    this.#isLimited = false;
  }
}
