/**
 * Keeps the offsets of groups that are at home elsewhere up to date here, so that they can start
 * at any moment, with or without an agent to ask.
 *
 * Rules (docs/failover.md): 1. only the home's positions are written, only to groups without
 * members here; 2. an offset is overwritten only when it is absent, or ours by the ledger: of an
 * older epoch of the home it has been made ours when the home moved; 4. the home is followed
 * exactly, backwards too; 5. what nobody commits again is committed again before it expires.
 *
 * A group is looked at when something of it has changed: its position at home, what stands here,
 * its home; besides all of them now and then. Looking takes memory only; a broker is asked about
 * those groups alone in which there is something to write, and has the last word.
 */
import { nextTurn } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { isMeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { Commit } from './commit-table.ts';
import { accepted } from './failover.ts';
import type { GroupCluster } from './group-ports.ts';
import type { Ledger } from './ledger.ts';
import type { LogStarts } from './log-starts.ts';
import type { ResolvedMode } from './mode.ts';
import type { PositionsStore, StoreChange } from './positions-store.ts';
import { isOpen, isSame, wantedOffsets, type Standing, type WantedOffset } from './sync-plan.ts';
import type { Translator } from './translator.ts';

export interface SyncOptions {
  readonly site: SiteName;
  readonly cluster: GroupCluster;
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  readonly modeOf: (group: string) => ResolvedMode;
  /** One agent of the site writes a group. */
  readonly owns: (group: string, from: SiteName) => boolean;
  readonly translator: () => Pick<Translator, 'translate'>;
  readonly starts: LogStarts;
  readonly retention: { readonly refreshMs: number; look(): Promise<void> };
  /** What stands here, as the log of commits tells; `ask`: it does not; `unread`: not yet. */
  readonly standing: (group: string) => ReadonlyMap<string, Commit> | 'unread' | 'ask';
  readonly intervalMs?: number;
}

const unknownMember = 25;
const groupsAtOnce = 4;
const groupsPerTurn = 100;
const othersPerRound = 500;
/** All groups, also those in which nothing has changed: logs are cut, commits grow old. */
const sweepMs = 30_000;

type Translated = ReturnType<Translator['translate']>;

interface Look {
  readonly group: string;
  readonly from: SiteName;
  readonly translated: Translated;
  /** The answer may become another one without a change of the group. */
  readonly isOpen: boolean;
}

export class GroupSync {
  readonly #options: SyncOptions;
  readonly #deps: Deps;
  readonly #failing = new Set<string>();
  readonly #due = new Set<string>();
  /** Groups to be followed here, by another agent of this site. */
  readonly #others = new Set<string>();
  #sweptMs = -Infinity;
  /** By group, where commits are not read from the log: when all that is ours was committed. */
  readonly #refreshedMs = new Map<string, number>();

  constructor(options: SyncOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs = 1_000 } = this.#options;
    const stop = this.listen();
    const options = { intervalMs, failed: 'groups not synced' };
    await rounds(() => this.round(signal), options, this.#deps, signal);
    stop();
  }

  /** To what changes from now on. */
  listen(): () => void {
    const { store, ledger } = this.#options;
    const stopPositions = store.onChange((change) => this.#note(change));
    const stopHomes = ledger.onHome((group) => this.due(group));
    return () => {
      stopPositions();
      stopHomes();
    };
  }

  /** The group is to be looked at in the next round. */
  due(group: string): void {
    this.#due.add(group);
  }

  dueAll(): void {
    this.#sweptMs = -Infinity;
  }

  async round(signal: AbortSignal): Promise<void> {
    const { retention } = this.#options;
    await retention.look();
    this.#sweep();
    const looks = await this.#lookAtDue();
    const asks = new Semaphore(groupsAtOnce);
    await Promise.all(looks.map((look) => asks.run(() => this.#syncOne(look), signal)));
  }

  #note(change: StoreChange): void {
    if (change.kind !== 'positions') return;
    for (const { site, group } of change.changed) {
      if (site !== this.#options.site) this.#due.add(group);
    }
  }

  #sweep(): void {
    const { store, retention } = this.#options;
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#sweptMs < Math.min(sweepMs, retention.refreshMs / 2)) return;
    this.#sweptMs = nowMs;
    for (const site of store.sites()) {
      if (site === this.#options.site) continue;
      for (const group of store.groups(site)) this.#due.add(group);
    }
  }

  /** Those of the groups that are due in which something may have to be written. */
  async #lookAtDue(): Promise<Look[]> {
    const { starts } = this.#options;
    const homes: (readonly [group: string, from: SiteName, positions: Translated])[] = [];
    for (const group of [...this.#due, ...this.#someOfOthers()]) {
      const from = this.#homeToFollow(group);
      if (from !== undefined) homes.push([group, from, this.#translate(group, from)]);
      if (homes.length % groupsPerTurn === 0) await nextTurn();
    }
    // Where a log begins is asked for all groups together.
    const isNew = await starts.refresh(
      homes.flatMap(([, , positions]) =>
        positions.flatMap(({ target }) => (target.offset === undefined ? [] : [target])),
      ),
    );
    const looks: Look[] = [];
    for (const [at, [group, from, positions]] of homes.entries()) {
      if (at % groupsPerTurn === 0) await nextTurn();
      looks.push(...this.#look(group, from, isNew ? this.#translate(group, from) : positions));
    }
    return looks;
  }

  /** Slots move: groups that were another agent's are looked at again, some in each round. */
  #someOfOthers(): string[] {
    const some = [...this.#others].slice(0, othersPerRound);
    for (const group of some) this.#others.delete(group);
    return some;
  }

  /** undefined: for now there is nothing to follow, or another agent does it. */
  #homeToFollow(group: string): SiteName | undefined {
    const { site, store, modeOf, owns } = this.#options;
    const { mode, home } = modeOf(group);
    const isElsewhere = mode === 'single' && home !== undefined && home.site !== site;
    // With this site for its rival it is open whether the group has left from here.
    if (isElsewhere && home.rival?.site !== site && store.has(home.site, group)) {
      if (owns(group, home.site)) return home.site;
      this.#others.add(group);
    }
    this.#due.delete(group);
    return undefined;
  }

  /** One, or none when there is nothing to do for now. */
  #look(group: string, from: SiteName, translated: Translated): Look[] {
    const found = this.#options.standing(group);
    if (found === 'unread') {
      this.#due.add(group);
      return [];
    }
    const isOpenYet = translated.some(isOpen);
    if (isOpenYet) this.#due.add(group);
    const isWanted = found === 'ask' || this.#wanted(group, from, translated, found).length > 0;
    if (!isWanted && !isOpenYet) this.#due.delete(group);
    return isWanted ? [{ group, from, translated, isOpen: isOpenYet }] : [];
  }

  #translate(group: string, from: SiteName): Translated {
    const { site, store, translator, starts } = this.#options;
    // Without a commit at home there is nothing to follow.
    const known = store.positions(from, group).filter(({ offset }) => offset !== undefined);
    return translator().translate(known, from, site, (topic, partition) =>
      starts.of(topic, partition),
    );
  }

  #wanted(
    group: string,
    from: SiteName,
    translated: Translated,
    standing: ReadonlyMap<string, Standing>,
  ): WantedOffset[] {
    const { store, ledger, retention } = this.#options;
    return wantedOffsets({
      translated,
      standing,
      isOurs: (offset) => ledger.isOurs(group, offset),
      metadataOf: (key) => store.position(from, group, key)?.metadata ?? '',
      refreshBeforeMs: this.#deps.clock.nowMs() - retention.refreshMs,
    });
  }

  /** One group's trouble does not hold up the others; it is told once, until it is over. */
  async #syncOne(look: Look): Promise<void> {
    const { group } = look;
    this.#due.add(group);
    try {
      const isDone = await this.#sync(look);
      if (isDone && !look.isOpen && this.#options.standing(group) !== 'ask') {
        this.#due.delete(group);
      }
      this.#failing.delete(group);
    } catch (error) {
      if (!isMeshError(error) || error.code === 'aborted') throw error;
      const level = this.#failing.has(group) ? 'debug' : 'warn';
      this.#failing.add(group);
      this.#deps.log[level]({ group, why: error.message }, 'group not synced');
    }
  }

  /**
   * Writes what is wanted where nothing has changed up to the moment before. False: to be looked at
   * again.
   */
  async #sync({ group, from, translated }: Look): Promise<boolean> {
    const { cluster, ledger } = this.#options;
    const known = this.#options.standing(group);
    const standing = typeof known === 'string' ? await this.#standingNow(group) : known;
    const wanted = this.#wanted(group, from, translated, standing);
    if (wanted.length === 0) return true;
    if ((await cluster.groupMembers(group)).memberCount > 0) return false;
    const changed = wanted.filter(({ isRefresh }) => !isRefresh);
    if (changed.length > 0) await ledger.noteWritten(group, changed);
    // All that was waited for: the group may have been used here, moved, or reset, meanwhile.
    if (!isSame(standing, await this.#standingNow(group))) return false;
    if (!this.#isStillSo(group, from, wanted)) return false;
    const results = await cluster.commitGroupOffsets(group, wanted);
    ledger.confirmWritten(group, accepted(changed, results));
    const failed = results.find(({ errorCode }) => errorCode !== 0);
    if (failed === undefined) {
      this.#refreshedMs.set(group, this.#deps.clock.nowMs());
      return true;
    }
    const { topic, partition, errorCode } = failed;
    if (errorCode !== unknownMember) {
      this.#deps.log.warn({ group, topic, partition, errorCode }, 'offset not synced');
    }
    return false;
  }

  #isStillSo(group: string, from: SiteName, wanted: readonly WantedOffset[]): boolean {
    if (this.#homeToFollow(group) !== from) return false;
    const offsets = new Map(
      this.#translate(group, from).map(({ target }) => [
        `${target.topic}/${target.partition}`,
        target.offset,
      ]),
    );
    return wanted.every(({ topic, partition, offset }) => {
      return offsets.get(`${topic}/${partition}`) === offset;
    });
  }

  async #standingNow(group: string): Promise<ReadonlyMap<string, Standing>> {
    const { cluster, standing } = this.#options;
    const found = standing(group);
    const log = typeof found === 'string' ? undefined : found;
    const nowMs = this.#deps.clock.nowMs();
    if (log === undefined && !this.#refreshedMs.has(group)) this.#refreshedMs.set(group, nowMs);
    const refreshedMs = this.#refreshedMs.get(group) ?? nowMs;
    const offsets = await cluster.groupOffsets(group);
    return new Map(
      offsets.map(({ topic, partition, offset }) => {
        const key = `${topic}/${partition}`;
        const committedAtMs = log === undefined ? refreshedMs : log.get(key)?.committedAtMs;
        return [key, { offset, committedAtMs: committedAtMs ?? nowMs }];
      }),
    );
  }
}
