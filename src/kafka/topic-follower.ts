/**
 * Follows all partitions of one topic, from the start of each to its end and on, read uncommitted,
 * markers included: one long-polling fetch at a time per leading broker.
 *
 * Invariant: the batches of a partition are delivered in order, each once, until `onRestart` says
 * that the log was made anew or cut, and is read from its start again. A lost connection or leader
 * is met by going on elsewhere; what waiting does not help with ends it.
 */
import { Bell } from '../base/bell.ts';
import { isAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import { Backoff } from '../base/retry.ts';
import type { BrokerLink, Cluster, FetchedPartition } from './cluster.ts';
import { isLeaderElsewhere } from './codes.ts';
import { refusal } from './convert-error.ts';
import { FollowedPartition, type FollowListener } from './followed-partition.ts';

export type FollowedCluster = Pick<Cluster, 'name' | 'topicMetadata' | 'openLink' | 'listOffsets'>;

const fetchWaitMs = 500;
/** Small enough that decoding one does not hold up what else runs in this process. */
const fetchBytesMax = 2 * 1024 * 1024;
const partitionBytesMax = 1024 * 1024;
/** Under load, commits are fetched together: so many times a second at most. */
const fetchEveryMs = 25;
const lookEveryMs = 30_000;
const lookAgainMs = 200;
const offsetOutOfRange = 1;

export class TopicFollower {
  readonly #topic: string;
  readonly #cluster: FollowedCluster;
  readonly #listener: FollowListener;
  readonly #deps: Deps;
  readonly #loops = new Map<number, Set<FollowedPartition>>();
  #places: readonly FollowedPartition[] = [];
  #topicId: string | undefined;
  #isRunning = true;
  /** Partitions that nobody reads are there. */
  readonly #bell: Bell;

  constructor(topic: string, cluster: FollowedCluster, listener: FollowListener, deps: Deps) {
    this.#topic = topic;
    this.#cluster = cluster;
    this.#listener = listener;
    this.#deps = deps;
    this.#bell = new Bell(deps.clock);
  }

  /** 0 until the topic has been seen. */
  get partitionCount(): number {
    return this.#places.length;
  }

  get atEndCount(): number {
    return this.#places.filter(({ isAtEnd }) => isAtEnd).length;
  }

  isAtEnd(partition: number): boolean {
    return this.#places[partition]?.isAtEnd ?? false;
  }

  /** All that had been written so long ago has been read; monotonic, -Infinity: not all yet. */
  get asOfMs(): number {
    return this.#places.reduce((least, { asOfMs }) => Math.min(least, asOfMs), Infinity);
  }

  /** Resolves when all that is in the partition now has been delivered. */
  async reach(partition: number): Promise<void> {
    const place = this.#places[partition];
    if (place === undefined) throw this.#absent();
    const end = Number((await this.#listed([place], 'latest')).get(partition));
    if (!this.#isRunning) throw this.#ended();
    await place.delivered.reach(end);
  }

  /** @throws MeshError kafka_authorization, kafka_request, batch_corrupt */
  async run(signal: AbortSignal): Promise<void> {
    using failed = new LinkedAbort(signal);
    const stop = failed.signal;
    const running = new Set<Promise<void>>();
    let failure: Error | undefined;
    const backoff = new Backoff({ delayMsMin: 100, delayMsMax: 3_000 }, this.#deps.clock);
    const start = (broker: number, places: Set<FollowedPartition>): void => {
      const loop = this.#read(broker, places, backoff, stop).catch((error: unknown) => {
        failure ??= asError(error);
        failed.abort();
      });
      running.add(loop);
      void loop.finally(() => running.delete(loop));
    };
    try {
      while (!stop.aborted) {
        await this.#assign(start, backoff, stop);
        await this.#deps.clock.sleep(lookAgainMs, stop);
      }
    } catch (error) {
      if (!isAborted(stop)) failure ??= asError(error);
    } finally {
      failed.abort();
      await Promise.all(running);
      this.#isRunning = false;
      for (const { delivered } of this.#places) delivered.fail(this.#ended());
    }
    if (failure !== undefined && !signal.aborted) throw failure;
  }

  /** Gives partitions that nobody reads to the loop of their leader; waits until there are more. */
  async #assign(
    start: (broker: number, places: Set<FollowedPartition>) => void,
    backoff: Backoff,
    stop: AbortSignal,
  ): Promise<void> {
    let isAgain = false;
    try {
      const topic = await this.#cluster.topicMetadata(this.#topic);
      if (topic === undefined || topic.partitions.length === 0) throw this.#absent();
      const known = this.#places;
      this.#places = topic.partitions.map(
        ({ partition }) =>
          known[partition] ?? new FollowedPartition(this.#topic, partition, this.#listener),
      );
      if (topic.topicId !== this.#topicId && this.#topicId !== undefined) {
        for (const place of this.#places) this.#restart(place);
      }
      this.#topicId = topic.topicId;
      await this.#findStarts();
      for (const place of this.#places.filter(({ broker }) => broker === undefined)) {
        const leader = topic.partitions[place.partition]?.leader ?? -1;
        if (leader < 0 || place.next === undefined) isAgain = true;
        else this.#give(place, leader, start);
      }
    } catch (error) {
      if (!isMeshError(error) || !error.retriable) throw error;
      isAgain = true;
      this.#say(backoff, error);
    }
    if (isAgain) await backoff.wait(stop).catch(() => undefined);
    else await this.#bell.sleep(lookEveryMs, stop);
  }

  #give(
    place: FollowedPartition,
    leader: number,
    start: (broker: number, places: Set<FollowedPartition>) => void,
  ): void {
    place.broker = leader;
    const reading = this.#loops.get(leader);
    if (reading !== undefined) {
      reading.add(place);
      return;
    }
    const places = new Set([place]);
    this.#loops.set(leader, places);
    start(leader, places);
  }

  async #findStarts(): Promise<void> {
    const unknown = this.#places.filter(({ next }) => next === undefined);
    if (unknown.length === 0) return;
    const ends = await this.#listed(unknown, 'latest');
    const starts = await this.#listed(unknown, 'earliest');
    for (const place of unknown) {
      const start = starts.get(place.partition);
      const end = ends.get(place.partition);
      if (start !== undefined && end !== undefined) place.startAt(start, end);
    }
  }

  /** Those that were answered; of partitions without a leader there is none. */
  async #listed(
    places: readonly FollowedPartition[],
    spec: 'earliest' | 'latest',
  ): Promise<ReadonlyMap<number, number>> {
    const asked = places.map(({ partition }) => ({ topic: this.#topic, partition }));
    const found = new Map<number, number>();
    for (const { partition, errorCode, offset } of await this.#cluster.listOffsets(asked, spec)) {
      if (errorCode === 0) found.set(partition, Number(offset));
      else if (!isLeaderElsewhere(errorCode) || places.length === 1) {
        throw refusal(this.#cluster.name, `offsets of ${this.#topic}/${partition}`, errorCode);
      }
    }
    return found;
  }

  /** Until the broker fails, or leads none of them any more. */
  async #read(
    broker: number,
    places: Set<FollowedPartition>,
    backoff: Backoff,
    stop: AbortSignal,
  ): Promise<void> {
    let link: BrokerLink | undefined;
    const onAbort = (): void => void link?.[Symbol.asyncDispose]();
    stop.addEventListener('abort', onAbort, { once: true });
    try {
      link = await this.#cluster.openLink(broker, 'offsets');
      for (let turn = 0; places.size > 0 && !stop.aborted; turn += 1) {
        await this.#fetch(link, places, turn, stop);
        backoff.reset();
      }
    } catch (error) {
      if (isAborted(stop)) return;
      if (!isMeshError(error) || !error.retriable) throw error;
      this.#say(backoff, error);
      await backoff.wait(stop).catch(() => undefined);
    } finally {
      stop.removeEventListener('abort', onAbort);
      await link?.[Symbol.asyncDispose]();
      this.#loops.delete(broker);
      for (const place of places) place.broker = undefined;
      this.#bell.ring();
    }
  }

  async #fetch(
    link: BrokerLink,
    places: Set<FollowedPartition>,
    turn: number,
    stop: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#deps;
    const sentMs = clock.monotonicMs();
    const list = [...places];
    const first = turn % list.length;
    const ordered = [...list.slice(first), ...list.slice(0, first)];
    const response = await link.fetch({
      partitions: ordered.map(({ partition, next = 0 }) => {
        const offset = BigInt(next);
        return { topic: this.#topic, partition, offset, bytesMax: partitionBytesMax };
      }),
      maxWaitMs: fetchWaitMs,
      minBytes: 1,
      maxBytes: fetchBytesMax,
      isolation: 'read_uncommitted',
    });
    let isQuick = false;
    try {
      for (const fetched of response.partitions) {
        const place = this.#places[fetched.partition];
        if (place === undefined || !places.has(place)) continue;
        this.#take(place, fetched, places, sentMs);
        if (!place.isAtEnd) isQuick = true;
      }
    } finally {
      response.release();
    }
    const leftMs = fetchEveryMs - (clock.monotonicMs() - sentMs);
    if (!isQuick && leftMs > 0) await clock.sleep(leftMs, stop).catch(() => undefined);
  }

  #take(
    place: FollowedPartition,
    fetched: FetchedPartition,
    places: Set<FollowedPartition>,
    sentMs: number,
  ): void {
    const { errorCode, partition } = fetched;
    if (errorCode === 0) place.take(fetched, sentMs);
    else if (errorCode === offsetOutOfRange || isLeaderElsewhere(errorCode)) {
      places.delete(place);
      place.broker = undefined;
      if (errorCode === offsetOutOfRange) this.#restart(place);
      this.#bell.ring();
    } else throw refusal(this.#cluster.name, `reading ${this.#topic}/${partition}`, errorCode);
  }

  #restart(place: FollowedPartition): void {
    const { partition, next } = place;
    this.#deps.log.warn(
      { cluster: this.#cluster.name, topic: this.#topic, partition, offset: next },
      'log was made anew or cut: read from its start',
    );
    place.restart();
  }

  #say(backoff: Backoff, error: unknown): void {
    const level = backoff.attempts === 0 ? 'info' : 'debug';
    const { name } = this.#cluster;
    this.#deps.log[level](
      { cluster: name, topic: this.#topic, why: errorMessage(error) },
      'log not followed just now',
    );
  }

  #absent(): MeshError {
    const text = `${this.#topic} at ${this.#cluster.name}: not there, or not to be seen by this user`;
    return new MeshError('kafka_authorization', text);
  }

  #ended(): MeshError {
    return new MeshError('aborted', `${this.#topic} at ${this.#cluster.name}: no longer followed`);
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
