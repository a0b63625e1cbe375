/**
 * Reads the positions of the groups of one site from its Kafka: from the log in which the group
 * coordinators keep them, as they are committed; and where that log may not be read, or says what
 * we cannot read, by asking.
 *
 * Invariants: a group is read from the log or by asking, never from both at once; what agents wrote
 * into a group is not taken for a position of it (`origin`).
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { GroupOffset } from '../kafka/cluster.ts';
import { TopicFollower, type FollowedCluster } from '../kafka/topic-follower.ts';
import { CommitTable, logPartitionOf, type Commit } from './commit-table.ts';
import { Doubts } from './doubts.ts';
import { PositionsPoller } from './positions-poller.ts';
import type { PositionsSource, ReaderOptions } from './positions-source.ts';
import { goneAt, type ObservedOffset } from './positions-store.ts';

const logTopic = '__consumer_offsets';
const pollMs = 1_000;
const beatMs = 1_000;
/** So long a log may take to be read before groups are asked meanwhile. */
const startMs = 15_000;
const backoffOptions = { delayMsMin: 1_000, delayMsMax: 60_000 };

export class PositionsReader {
  readonly #options: ReaderOptions;
  readonly #deps: Deps;
  readonly #poller: PositionsPoller;
  readonly #doubts: Doubts;
  #table: CommitTable;
  #follower: TopicFollower | undefined;
  /** Groups of which it was said that they have to be asked. */
  #saidUnreadable = 0;
  #isStarting = true;
  #why = '';
  #polledAsOfMs = -Infinity;

  constructor(options: ReaderOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#table = this.#newTable();
    const { site, cluster, store, isFollowed, origin, settle } = options;
    const takeSettled = (group: string, keys: ReadonlySet<string>): void => {
      const partition = this.#logPartition(group);
      if (partition !== undefined) this.#take(partition, group, keys, true);
    };
    this.#doubts = new Doubts(settle, takeSettled, deps);
    const isOurs = (group: string, offset: GroupOffset): boolean =>
      origin(group, offset) === 'ours';
    const isWanted = (group: string): boolean =>
      this.#logPartition(group) === undefined || this.#table.isAsked(group);
    const poller = { site, cluster, store, isFollowed, isOurs, isWanted };
    this.#poller = new PositionsPoller(poller, deps);
  }

  source(): PositionsSource {
    const { site, store } = this.#options;
    const isFromLog = this.#isAllFromLog();
    return {
      site,
      mode: isFromLog ? 'log' : this.#isStarting ? 'starting' : 'polling',
      why: isFromLog ? '' : this.#why || this.#unread(),
      asOfMs: store.siteAsOfMs(site),
      groups: store.groups(site).length,
      unreadableCommits: this.#table.unreadableCount,
      groupsAsked: this.#table.asked().length,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { site, store } = this.#options;
    store.claim(site);
    const stopStarting = this.#deps.clock.after(startMs, () => (this.#isStarting = false));
    try {
      await Promise.all([this.#followLoop(signal), this.#pollLoop(signal), this.#beat(signal)]);
    } finally {
      stopStarting();
      store.release(site);
    }
  }

  /** Resolves when what the group has committed by now is known. */
  async refresh(group: string): Promise<void> {
    const follower = this.#follower;
    const partition = this.#logPartition(group);
    if (follower === undefined || partition === undefined || this.#table.isAsked(group)) {
      await this.#poller.readGroup(group);
    } else await follower.reach(partition);
  }

  /**
   * All that stands at the site in the name of the group, whoever committed it, by
   * `topic/partition`. `unread`: not known yet; `ask`: the log does not tell.
   */
  standing(group: string): ReadonlyMap<string, Commit> | 'unread' | 'ask' {
    const partition = this.#logPartition(group);
    if (partition === undefined) return this.#isStarting ? 'unread' : 'ask';
    return this.#table.isAsked(group) ? 'ask' : this.#table.commits(partition, group);
  }

  /** Looks at a group anew: it is followed now, or another site is its home. */
  review(group: string): void {
    const partition = this.#logPartition(group);
    // Those that are asked come to it by themselves.
    if (partition !== undefined) this.#project(partition, group);
  }

  reviewAll(): void {
    const count = this.#follower?.partitionCount ?? 0;
    for (let partition = 0; partition < count; partition += 1) {
      if (this.#follower?.isAtEnd(partition) !== true) continue;
      for (const group of this.#table.groups(partition)) this.#project(partition, group);
    }
  }

  // --- from the log

  async #followLoop(signal: AbortSignal): Promise<void> {
    const { site, cluster } = this.#options;
    const { clock, log } = this.#deps;
    const backoff = new Backoff(backoffOptions, clock);
    while (!signal.aborted) {
      this.#table = this.#newTable();
      const follower = this.#newFollower(cluster);
      this.#follower = follower;
      try {
        await follower.run(signal);
        return;
      } catch (error) {
        this.#follower = undefined;
        this.#isStarting = false;
        // Only what cannot be read leads here, not what passes by itself.
        const level = this.#why === '' ? 'warn' : 'debug';
        this.#why = errorMessage(error);
        log[level]({ site, why: this.#why }, 'group log not read: groups are asked instead');
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  }

  #newFollower(cluster: FollowedCluster): TopicFollower {
    const { site, store } = this.#options;
    const listener = {
      onBatch: (partition: number, batch: Parameters<CommitTable['apply']>[1]) =>
        this.#table.apply(partition, batch),
      onFetched: (partition: number) => this.#projectChanged(partition),
      onRestart: (partition: number) => this.#table.clear(partition),
      onEnd: (partition: number, isUnused: boolean) => {
        this.#table.takeChanged(partition);
        for (const group of this.#table.groups(partition)) this.#project(partition, group);
        this.#noteFromLog();
        if (isUnused) return;
        // What is not in the log any more has been deleted meanwhile. A log in which nothing was
        // ever written was made anew: then what is known is better than nothing.
        for (const group of store.groups(site)) {
          const known = this.#table.commits(partition, group);
          if (known.size === 0 && this.#logPartition(group) === partition) {
            this.#project(partition, group);
          }
        }
      },
    };
    return new TopicFollower(logTopic, cluster, listener, this.#deps);
  }

  #noteFromLog(): void {
    if (!this.#isAllFromLog()) return;
    this.#isStarting = false;
    const { site } = this.#options;
    const groups = this.#table.groupCount;
    if (this.#why !== '')
      this.#deps.log.info({ site, groups }, 'positions come from the log again');
    this.#why = '';
  }

  /** The partition of the log that holds the group, when it has been read to its end. */
  #logPartition(group: string): number | undefined {
    const count = this.#follower?.partitionCount ?? 0;
    if (count === 0) return undefined;
    const partition = logPartitionOf(group, count);
    return this.#follower?.isAtEnd(partition) === true ? partition : undefined;
  }

  #isAllFromLog(): boolean {
    const { partitionCount = 0, atEndCount = 0 } = this.#follower ?? {};
    return partitionCount > 0 && atEndCount === partitionCount;
  }

  #unread(): string {
    const { partitionCount = 0, atEndCount = 0 } = this.#follower ?? {};
    const unread = partitionCount - atEndCount;
    return partitionCount === 0
      ? `${logTopic} not found yet`
      : `${unread} of ${partitionCount} partitions of ${logTopic} not read to their end yet`;
  }

  #projectChanged(partition: number): void {
    for (const [group, keys] of this.#table.takeChanged(partition)) {
      this.#take(partition, group, keys, false);
      this.#options.onCommits?.(group);
    }
  }

  /** Everything that is in the log of a group, and what is no longer in it. */
  #project(partition: number, group: string): void {
    const { site, store } = this.#options;
    const keys = new Set(this.#table.commits(partition, group).keys());
    for (const { topic, partition: of } of store.positions(site, group)) keys.add(`${topic}/${of}`);
    this.#take(partition, group, keys, false);
  }

  #take(logPartition: number, group: string, keys: Iterable<string>, isSettled: boolean): void {
    const { site, store, isFollowed, origin } = this.#options;
    if (!isFollowed(group) || this.#table.isAsked(group)) return;
    const commits = this.#table.commits(logPartition, group);
    const offsets: ObservedOffset[] = [];
    for (const key of keys) {
      const commit = commits.get(key);
      const whose = commit === undefined || commit.offset < 0n ? 'ours' : origin(group, commit);
      if (whose === 'foreign' && !isSettled) this.#doubts.add(group, key);
      else if (commit !== undefined && whose !== 'ours') offsets.push(observed(commit));
      else {
        const known = store.position(site, group, key);
        if (known?.offset !== undefined) offsets.push(goneAt(known.topic, known.partition));
      }
    }
    if (offsets.length > 0) store.change(site, group, offsets, this.#deps.clock.nowMs());
  }

  #newTable(): CommitTable {
    return new CommitTable(logTopic, (group, found) => {
      const { site } = this.#options;
      // Once is enough: how many there are is told by status and metrics.
      const level = this.#saidUnreadable === 0 ? 'warn' : 'debug';
      this.#saidUnreadable += 1;
      this.#deps.log[level]({ site, group, found }, 'commit not readable: the group is asked');
    });
  }

  // --- by asking

  async #pollLoop(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let isFailing = false;
    while (!signal.aborted) {
      const startedMs = clock.nowMs();
      try {
        await this.#poll(signal);
        this.#polledAsOfMs = startedMs;
        isFailing = false;
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        const { site } = this.#options;
        log[isFailing ? 'debug' : 'warn']({ site, why: errorMessage(error) }, 'groups not read');
        isFailing = true;
      }
      await clock.sleep(this.#options.pollMs ?? pollMs, signal).catch(() => undefined);
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { isFollowed } = this.#options;
    if (this.#isAllFromLog()) {
      await this.#poller.readGroups(this.#table.asked().filter(isFollowed), signal);
    } else if (!this.#isStarting) await this.#poller.round(signal);
  }

  /** Says up to when all groups are known. */
  async #beat(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const { site, store } = this.#options;
    while (!signal.aborted) {
      const follower = this.#follower;
      const ageMs = follower === undefined ? Infinity : clock.monotonicMs() - follower.asOfMs;
      const isLog = this.#isAllFromLog();
      const isPolled = !isLog || this.#table.asked().length > 0;
      const logMs = isLog ? clock.nowMs() - ageMs : Infinity;
      const asOfMs = Math.min(logMs, isPolled && !this.#isStarting ? this.#polledAsOfMs : Infinity);
      if (Number.isFinite(asOfMs)) store.noteAsOf(site, Math.floor(asOfMs));
      await clock.sleep(beatMs, signal).catch(() => undefined);
    }
  }
}

function observed({ topic, partition, offset, leaderEpoch, metadata }: Commit): ObservedOffset {
  return { topic, partition, offset, leaderEpoch, metadata };
}
