/**
 * Homes that nobody moves by a command. Each site watches for itself: when a group that is at home
 * elsewhere has members here that commit, the site that would gain the home looks at the other one
 * and writes what it decides; all others are told (rules 3 of docs/failover.md).
 *
 * ```
 *  home answers, neither members nor commits there for a while    the home moves here
 *  home answers, and is used; no mode is declared                 contested
 *  home does not answer, nor its agents, for a while              provisional here
 *    and when it answers again: no members there                  confirmed
 *                               members and newer commits there   contested
 * ```
 *
 * Invariant: nothing is decided by commits that agents made (they are in the ledger), nor by a
 * site of which we do not know whether it lives.
 */
import type { Deps } from '../base/deps.ts';
import { isMeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { GroupHome, HomeRival, LogPlace } from './answer.ts';
import type { FindOverlap } from './contest.ts';
import { HomeFinder } from './home-finder.ts';
import { homeEvent, type GroupEvent } from './group-event.ts';
import type { GroupCluster, SiteLiveness } from './group-ports.ts';
import type { Ledger } from './ledger.ts';
import type { ResolvedMode } from './mode.ts';
import { overlapText } from './overlap.ts';
import type { PositionsStore, StoreChange } from './positions-store.ts';

export interface HomeWatchOptions {
  readonly site: SiteName;
  readonly otherSites: () => readonly SiteName[];
  /** This site's own Kafka. */
  readonly cluster: GroupCluster;
  /** Another site's Kafka, while it can be reached. */
  readonly remoteCluster: (site: SiteName) => GroupCluster | undefined;
  readonly liveness: (site: SiteName) => SiteLiveness;
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  readonly modeOf: (group: string) => ResolvedMode;
  /** One agent of the site decides for a group. */
  readonly owns: (group: string, from: SiteName) => boolean;
  readonly overlap: FindOverlap;
  /** So long a home has to be quiet, or silent, before it moves by itself. */
  readonly homeIdleMs: () => number;
  readonly onEvent: (event: GroupEvent) => void;
  readonly intervalMs?: number;
}

/** A group that is at home elsewhere and has commits of its own here; times are monotonic. */
interface Guest {
  /** Since when its home has had neither members nor commits. */
  quietSinceMs?: number | undefined;
  /** Since when its home has been used as well. */
  bothSinceMs?: number | undefined;
  /** Since when its home does not answer. */
  silentSinceMs?: number | undefined;
  /** Since when it has had no members here. */
  emptySinceMs?: number | undefined;
  /** What stood there at the last look. */
  seen?: string | undefined;
}

const groupsAtOnce = 8;
/** A group whose members are only just coming back is not taken for empty. */
const emptyLooks = 2;

export class HomeWatch {
  readonly #options: HomeWatchOptions;
  readonly #deps: Deps;
  readonly #guests = new Map<string, Guest>();
  readonly #finder: HomeFinder;
  /** By group: so often its former home was seen without members. */
  readonly #empty = new Map<string, number>();

  constructor(options: HomeWatchOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#finder = new HomeFinder(options);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs = 1_000 } = this.#options;
    const stop = this.listen();
    const options = { intervalMs, failed: 'homes of groups not watched' };
    await rounds(() => this.round(signal), options, this.#deps, signal);
    stop();
  }

  /** To what is committed from now on. */
  listen(): () => void {
    const { store, ledger } = this.#options;
    for (const site of store.sites()) {
      for (const group of store.groups(site)) this.#finder.note(group);
    }
    for (const [group] of ledger.homes()) this.#noteFound(group);
    const stops = [
      store.onChange((change) => this.#note(change)),
      ledger.onHome((group) => this.#noteFound(group)),
    ];
    return () => stops.forEach((stop) => stop());
  }

  async round(signal: AbortSignal): Promise<void> {
    await this.#finder.find();
    const asks = new Semaphore(groupsAtOnce);
    const returned = [...this.#options.ledger.homes()].filter(
      ([, { site, state }]) => site === this.#options.site && state === 'provisional',
    );
    await Promise.all([
      ...[...this.#guests].map(([group, guest]) =>
        asks.run(() => this.#soon(group, () => this.#look(group, guest)), signal),
      ),
      ...returned.map(([group, home]) =>
        asks.run(() => this.#soon(group, () => this.#settle(group, home)), signal),
      ),
    ]);
  }

  #note(change: StoreChange): void {
    if (change.kind !== 'positions') return;
    for (const { site, group, offset } of change.changed) {
      this.#finder.note(group);
      if (site !== this.#options.site || offset === undefined) continue;
      if (this.#isGuest(group) && !this.#guests.has(group)) this.#guests.set(group, {});
    }
  }

  /** Another site found it there only, and did not know yet that it has committed here as well. */
  #noteFound(group: string): void {
    const { site, store, modeOf } = this.#options;
    const { home } = modeOf(group);
    if (home?.state !== 'found' || !this.#isGuest(group) || this.#guests.has(group)) return;
    if (store.positions(site, group).length > 0) this.#guests.set(group, {});
  }

  #isGuest(group: string): boolean {
    const { mode, home } = this.#options.modeOf(group);
    return mode === 'single' && home !== undefined && home.site !== this.#options.site;
  }

  // --- groups that are used here while they are at home elsewhere

  async #look(group: string, guest: Guest): Promise<void> {
    const { site, cluster, modeOf, owns, homeIdleMs } = this.#options;
    const { home, isDeclared } = modeOf(group);
    if (home === undefined || !this.#isGuest(group)) {
      this.#guests.delete(group);
      return;
    }
    if (!owns(group, home.site)) return;
    const nowMs = this.#deps.clock.monotonicMs();
    const isOver = (sinceMs: number | undefined): boolean =>
      sinceMs !== undefined && nowMs - sinceMs >= homeIdleMs();
    await this.#lookThere(group, home.site, guest, nowMs);
    if ((await cluster.groupMembers(group)).memberCount === 0) {
      guest.emptySinceMs ??= nowMs;
      if (!isOver(guest.emptySinceMs)) return;
      this.#guests.delete(group);
      // It has commits of its own at two sites, and did not move.
      if (!isDeclared) await this.#contest(group, home);
      return;
    }
    guest.emptySinceMs = undefined;
    if (isOver(guest.silentSinceMs)) await this.#makeProvisional(group, home, isDeclared);
    else if (isOver(guest.quietSinceMs)) {
      const moved: GroupHome = { site, epoch: home.epoch + 1, state: 'moved' };
      await this.#set(group, moved, home.site, `quiet at ${home.site}, and used here`);
    } else if (isOver(guest.bothSinceMs) && !isDeclared) await this.#contest(group, home);
  }

  /** Notes since when its home is quiet, used or silent; none of them when that cannot be told. */
  async #lookThere(group: string, at: SiteName, guest: Guest, nowMs: number): Promise<void> {
    const { kafkaReachable, agentsConnected } = this.#options.liveness(at);
    const isSilent = !kafkaReachable && agentsConnected === 0;
    guest.silentSinceMs = isSilent ? (guest.silentSinceMs ?? nowMs) : undefined;
    const remote = this.#options.remoteCluster(at);
    const there = remote && (await this.#standing(group, at, remote));
    const seen = there && JSON.stringify(there.offsets.map(placeText));
    const hasMoved = guest.seen !== undefined && guest.seen !== seen;
    const isUsed = there !== undefined && (there.memberCount > 0 || hasMoved);
    const isQuiet = there !== undefined && !isUsed;
    guest.seen = seen;
    guest.quietSinceMs = isQuiet ? (guest.quietSinceMs ?? nowMs) : undefined;
    guest.bothSinceMs = isUsed ? (guest.bothSinceMs ?? nowMs) : undefined;
  }

  async #makeProvisional(group: string, home: GroupHome, isDeclared: boolean): Promise<void> {
    const { site, store } = this.#options;
    const left = store.positions(home.site, group).flatMap(({ topic, partition, offset }) => {
      return offset === undefined ? [] : [{ topic, partition, offset }];
    });
    const rival: HomeRival = { site: home.site, left, overlap: [], isDeclared };
    const made: GroupHome = { site, epoch: home.epoch + 1, state: 'provisional', rival };
    await this.#set(
      group,
      made,
      home.site,
      `${home.site} does not answer, and the group is used here`,
    );
  }

  async #contest(group: string, home: GroupHome): Promise<void> {
    const { site, store, ledger, overlap } = this.#options;
    // Where agents had put it here is where it began.
    const left = ledger.written(group);
    const here = { site, positions: store.positions(site, group) };
    const there = { site: home.site, positions: store.positions(home.site, group) };
    const both = overlap(here, there, left);
    const rival: HomeRival = { site, left, overlap: both, isDeclared: false };
    const epoch = home.epoch + 1;
    const contested: GroupHome = { site: home.site, epoch, state: 'contested', rival };
    await this.#set(group, contested, home.site, `used at ${home.site} and here: declare its mode`);
  }

  // --- groups whose former home was lost, and answers again

  async #settle(group: string, home: GroupHome): Promise<void> {
    const { site, store, owns, remoteCluster, modeOf, overlap } = this.#options;
    const { rival } = home;
    if (rival === undefined || !owns(group, rival.site)) return;
    // It may have been declared otherwise meanwhile.
    if (modeOf(group).home !== home) return;
    const remote = remoteCluster(rival.site);
    const there = remote && (await this.#standing(group, rival.site, remote));
    if (there === undefined) {
      this.#empty.delete(group);
      return;
    }
    const { memberCount, offsets } = there;
    const here = { site, positions: store.positions(site, group) };
    const both = overlap({ site: rival.site, positions: offsets }, here, rival.left);
    const told = both.length === 0 ? '' : `: ${both.map(overlapText).join('; ')}`;
    if (memberCount > 0) {
      this.#empty.delete(group);
      if (!offsets.some((one) => isNewer(one, rival.left))) return;
      const state = 'contested';
      const contested: GroupHome = { ...home, state, rival: { ...rival, overlap: both } };
      await this.#set(
        group,
        contested,
        rival.site,
        `${rival.site} answers, and is used as well${told}`,
      );
      return;
    }
    const looks = (this.#empty.get(group) ?? 0) + 1;
    this.#empty.set(group, looks);
    if (looks < emptyLooks) return;
    this.#empty.delete(group);
    const moved: GroupHome = { site, epoch: home.epoch, state: 'moved' };
    await this.#set(group, moved, rival.site, `${rival.site} answers, without members${told}`);
  }

  // --- inner

  async #standing(
    group: string,
    at: SiteName,
    remote: GroupCluster,
  ): Promise<{ memberCount: number; offsets: readonly LogPlace[] } | undefined> {
    try {
      const { memberCount } = await remote.groupMembers(group);
      const offsets = (await remote.groupOffsets(group)).filter(({ offset }) => offset >= 0n);
      return { memberCount, offsets };
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#deps.log.debug({ group, at, why: error.message }, 'group not looked at');
      return undefined;
    }
  }

  /** @param other the site that it was, or is, at home at besides this one */
  async #set(group: string, home: GroupHome, other: SiteName, why: string): Promise<void> {
    const { site, ledger, onEvent } = this.#options;
    if (await ledger.setHome(group, home)) onEvent(homeEvent(group, home, { other, site, why }));
  }

  /** One group's trouble does not hold up the others; the next round looks again. */
  async #soon(group: string, look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      if (!isMeshError(error) || error.code === 'aborted') throw error;
      this.#deps.log.debug({ group, why: error.message }, 'home not looked at');
    }
  }
}

function placeText({ topic, partition, offset }: LogPlace): string {
  return `${topic}/${partition}@${offset}`;
}

function isNewer({ topic, partition, offset }: LogPlace, left: readonly LogPlace[]): boolean {
  const known = left.find((one) => one.topic === topic && one.partition === partition);
  return offset > (known?.offset ?? 0n);
}
