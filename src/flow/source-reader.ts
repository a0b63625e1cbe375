/**
 * Reads the partitions of one flow from the source: per leading broker one connection that
 * long-polls what is nearly current, and some more, as long as they are needed, for what is far
 * behind (fetch-lanes.ts). The order of partitions turns with every fetch, so that a hot one cannot
 * starve the others; while all are current, only what changed is asked for and told, and the broker
 * turns the order. Nothing is fetched while the bytes in flight have reached their bound.
 */
import { setMaxListeners } from 'node:events';
import { isAborted } from '../base/clock.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import { SharedMemory } from '../base/shared-memory.ts';
import type { BrokerLink, FetchResponse } from '../kafka/cluster.ts';
import { Asked, inTurn } from './asked.ts';
import { bulkLanes, FetchLanes } from './fetch-lanes.ts';
import type { FlowContext } from './flow-context.ts';
import { GivenCheck } from './given-check.ts';
import { IdlePoll } from './idle-poll.ts';
import type { PartitionCopy } from './partition-copy.ts';

/** With what is around the records it still fits into 8 MiB, a size that the pool keeps. */
const fetchBytesMax = 8 * 1024 * 1024 - 256 * 1024;
const partitionBytesMax = 4 * 1024 * 1024;
/** While others are catching up: so that they are soon among those that are long-polled. */
const shortWaitMs = 100;
/**
 * What is sent on as it is stays in the memory of the fetch when it is one of so many parts of it
 * at least: what waits would else keep what belongs to others, or was rolled back.
 */
const heldPartsMax = 2;
/** A connection that was needed for catching up only is closed after so long without use. */
const idleMsMax = 30_000;

/** What is read from one leading broker. */
interface BrokerLanes {
  readonly lanes: FetchLanes<PartitionCopy>;
  /** Of the first lane: the others fetch only what is there already. */
  readonly poll: IdlePoll;
  readonly stop: AbortController;
  /** Why it does not answer; undefined while it does. */
  why: string | undefined;
}

export class SourceReader {
  readonly #context: FlowContext;
  readonly #copies = new Set<PartitionCopy>();
  readonly #brokers = new Map<number, BrokerLanes>();
  readonly #running = new Set<Promise<void>>();
  readonly #given: GivenCheck;
  /** What was asked last for what changed. */
  readonly #polled = new WeakMap<BrokerLink, Asked>();
  #signal: AbortSignal | undefined;

  constructor(context: FlowContext) {
    this.#context = context;
    this.#given = new GivenCheck(context.settings.from);
  }

  /** Why a broker of the source does not answer; undefined while all do that lead anything. */
  get why(): string | undefined {
    return [...this.#brokers.values()].find(({ why }) => why !== undefined)?.why;
  }

  add(copy: PartitionCopy): void {
    this.#copies.add(copy);
    this.#assign(copy);
  }

  remove(copy: PartitionCopy): void {
    this.#copies.delete(copy);
    this.#given.forget(copy);
    for (const { lanes } of this.#brokers.values()) lanes.delete(copy);
  }

  /** A partition may want to be fetched again: its queue has drained. */
  wake(): void {
    this.#wakeAll();
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stopListening = [
      this.#context.source.onRefresh((isSame) => {
        if (!isSame) this.#reassign();
      }),
      this.#context.controls.onChange(() => this.#wakeAll()),
    ];
    this.#reassign();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const stopOne of stopListening) stopOne();
    for (const { stop } of this.#brokers.values()) stop.abort();
    await Promise.all(this.#running);
  }

  #wakeAll(): void {
    for (const broker of this.#brokers.values()) this.#wake(broker);
  }

  #wake({ lanes, poll }: BrokerLanes): void {
    lanes.wake();
    if (lanes.hasUnasked) poll.interrupt();
  }

  #isWanted(copy: PartitionCopy): boolean {
    return copy.wantsFetch && !this.#isPaused(copy);
  }

  #reassign(): void {
    for (const { lanes } of this.#brokers.values()) lanes.clear();
    for (const copy of this.#copies) {
      copy.releaseHold();
      this.#assign(copy, false);
    }
    for (const [id, { lanes, stop }] of this.#brokers) {
      if (!lanes.isEmpty) continue;
      // It leads nothing any more.
      this.#brokers.delete(id);
      stop.abort();
    }
    this.#wakeAll();
  }

  #assign(copy: PartitionCopy, mayWake = true): void {
    const leader = this.#context.source.leader(copy.id.topic, copy.id.partition);
    const signal = this.#signal;
    if (leader === undefined || signal === undefined || signal.aborted) return;
    let broker = this.#brokers.get(leader);
    if (broker === undefined) {
      const lanes = new FetchLanes<PartitionCopy>((one) => this.#isWanted(one));
      const { timings, deps } = this.#context;
      const poll = new IdlePoll(timings.fetchWaitMs, deps.clock);
      broker = { lanes, poll, stop: new AbortController(), why: undefined };
      // Each of its loops listens for the end.
      setMaxListeners(0, broker.stop.signal);
      this.#brokers.set(leader, broker);
      for (let lane = 0; lane <= bulkLanes; lane += 1) {
        const running = this.#read(leader, broker, lane > 0).finally(() => {
          this.#running.delete(running);
        });
        this.#running.add(running);
      }
    }
    broker.lanes.add(copy);
    if (mayWake) this.#wake(broker);
  }

  /** @param isBulk it only fetches what is far behind */
  async #read(brokerId: number, broker: BrokerLanes, isBulk: boolean): Promise<void> {
    const { deps, source, budget, controls } = this.#context;
    const { lanes, poll } = broker;
    const { signal } = broker.stop;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 5_000 }, deps.clock);
    let link: BrokerLink | undefined;
    let turn = 0;
    const onAbort = (): void => void link?.[Symbol.asyncDispose]();
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      await budget.room(signal);
      await controls.rate.ready(signal);
      const wanted = this.#claim(lanes, isBulk);
      if (wanted.length === 0) {
        await this.#rest(lanes, isBulk ? link : undefined, signal);
        continue;
      }
      try {
        if (link?.isOpen !== true) link = await source.cluster.openLink(brokerId, 'fetch');
        turn += 1;
        // While the connection was being opened a partition may have been given up.
        const asked = wanted.filter((copy) => copy.fetchPosition >= 0);
        if (asked.length === 0) continue;
        if (isBulk) await this.#fetchOnce(link, inTurn(asked, turn), 0, 'bulk');
        else await this.#poll(link, asked, turn, broker);
        backoff.reset();
        broker.why = undefined;
      } catch (error) {
        await link?.[Symbol.asyncDispose]();
        link = undefined;
        if (isMeshError(error, 'aborted') || isAborted(signal)) break;
        if (!isBulk && poll.fail()) continue;
        this.#noteFailure(brokerId, broker, error);
        await backoff.wait(signal).catch(() => undefined);
      } finally {
        lanes.giveBack(wanted, isBulk);
        if (isBulk && lanes.hasUnasked) poll.interrupt();
      }
    }
    await link?.[Symbol.asyncDispose]();
  }

  /** Under a limit there is one request at a time: waiting after each is what keeps to it. */
  #claim(lanes: FetchLanes<PartitionCopy>, isBulk: boolean): readonly PartitionCopy[] {
    const isShared = this.#context.controls.rate.bytesPerSecond === undefined;
    if (!isBulk) return lanes.claimAll(isShared);
    return isShared ? lanes.claimBulk() : [];
  }

  #noteFailure(broker: number, lanes: BrokerLanes, error: unknown): void {
    const { deps, settings, source } = this.#context;
    // Once, whichever connection finds it first.
    const level = lanes.why === undefined ? 'warn' : 'debug';
    lanes.why = errorMessage(error);
    deps.log[level]({ flow: settings.id, broker, why: lanes.why }, 'fetch failed');
    source.invalidate();
  }

  /**
   * Until there is something to do.
   * @param link not kept for long meanwhile
   */
  async #rest(
    lanes: FetchLanes<PartitionCopy>,
    link: BrokerLink | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#context.deps;
    const stop =
      link?.isOpen === true
        ? clock.after(idleMsMax, () => void link[Symbol.asyncDispose]())
        : () => undefined;
    await lanes.sleep(signal);
    stop();
  }

  async #poll(
    link: BrokerLink,
    wanted: readonly PartitionCopy[],
    turn: number,
    { lanes, poll }: BrokerLanes,
  ): Promise<void> {
    const waitMs = lanes.hasBulk ? shortWaitMs : poll.begin(link);
    const isCurrent = wanted.every((copy) => copy.isCurrent);
    const bytes = isCurrent
      ? await this.#fetchOnce(link, wanted, waitMs, 'changes')
      : await this.#fetchOnce(link, inTurn(wanted, turn), waitMs, 'poll');
    poll.end(bytes);
  }

  async #fetchOnce(
    link: BrokerLink,
    ordered: readonly PartitionCopy[],
    maxWaitMs: number,
    kind: 'poll' | 'changes' | 'bulk',
  ): Promise<number> {
    const { budget, controls } = this.#context;
    const { rate } = controls;
    const maxBytes = Math.min(fetchBytesMax, rate.fetchBytes);
    const isBulk = kind === 'bulk';
    const onlyChanges = kind === 'changes';
    const bytesMax = isBulk
      ? Math.max(partitionBytesMax, Math.floor(maxBytes / ordered.length))
      : partitionBytesMax;
    const before = onlyChanges ? this.#polled.get(link) : undefined;
    const asked = before?.again(ordered, bytesMax) ?? new Asked(ordered, bytesMax);
    if (onlyChanges) this.#polled.set(link, asked);
    const { partitions } = asked;
    // What is surely coming is in flight already; a long poll mostly brings little.
    const expected = isBulk ? maxBytes : 0;
    budget.take(expected);
    let response: FetchResponse;
    try {
      const limits = { minBytes: 1, maxBytes, maxWaitMs, onlyChanges } as const;
      response = await link.fetch({ partitions, ...limits, isolation: 'read_committed' });
    } finally {
      budget.give(expected);
    }
    const bytes = response.partitions.reduce((sum, { records }) => sum + records.length, 0);
    budget.take(bytes);
    const memory = new SharedMemory(() => {
      response.release();
      budget.give(bytes);
    });
    const release = memory.hold();
    rate.take(bytes);
    try {
      for (const fetched of response.partitions) {
        const found = asked.answered(fetched);
        // What a long poll brings after a pause began is fetched again when it is over.
        if (found === undefined || this.#isPaused(found.copy)) continue;
        const isSmall = fetched.records.length * heldPartsMax < bytes;
        const hold = isSmall || fetched.aborted.length > 0 ? undefined : () => memory.hold();
        const stamped = found.copy.onFetched(fetched, found.offset, hold);
        if (stamped !== undefined) await stamped;
        if (onlyChanges || found.copy !== ordered[0]) continue;
        this.#given.check(found.copy, found.offset, fetched);
      }
      if (onlyChanges && response.areOthersUnchanged) asked.tellUnchanged();
      return bytes;
    } finally {
      release();
    }
  }

  #isPaused({ id }: PartitionCopy): boolean {
    return this.#context.controls.pauseOf(id.topic, id.partition) !== undefined;
  }
}
