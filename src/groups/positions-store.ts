/**
 * The last known committed offsets of every group at every site, kept in memory and, record by
 * group, in `__causeway-groups`: so that they outlive the site they came from, and this agent.
 *
 * Invariant: of two readings of a position the later one counts, whoever brought it; but of a site
 * that this agent reads by itself nobody else's word is taken.
 *
 * What does not change is neither told nor stored again: that a whole site's positions are still
 * what they were is one time per site, `asOfMs`.
 */
import type { SiteName } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupPosition } from './answer.ts';
import {
  parsePositions,
  positionsRecord,
  positionsTombstone,
  readRecord,
  type StoredGroup,
} from './stored-positions.ts';

/** How late the stored time of a site may be. */
const storeAsOfMs = 30_000;

interface Reading {
  readonly site: SiteName;
  readonly group: string;
  asOfMs: number;
  /** By `topic/partition`. */
  readonly positions: Map<string, GroupPosition>;
}

interface SiteTime {
  asOfMs: number;
  storedMs: number;
}

export interface ObservedOffset {
  readonly topic: string;
  readonly partition: number;
  /** undefined: there is no commit any more. */
  readonly offset: bigint | undefined;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export type StoreChange =
  | { readonly kind: 'positions'; readonly changed: readonly GroupPosition[] }
  | { readonly kind: 'as_of'; readonly site: SiteName; readonly asOfMs: number };

export class PositionsStore {
  readonly #readings = new Map<SiteName, Map<string, Reading>>();
  readonly #times = new Map<SiteName, SiteTime>();
  readonly #claimed = new Set<SiteName>();
  readonly #dirty = new Set<Reading>();
  /** Groups without any commit, and since when that has been seen, monotonic. */
  readonly #goneSinceMs = new Map<string, number>();
  readonly #listeners = new Set<(change: StoreChange) => void>();

  onChange(listener: (change: StoreChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  sites(): readonly SiteName[] {
    return [...this.#readings.keys()];
  }

  groups(site: SiteName): readonly string[] {
    return [...(this.#readings.get(site)?.keys() ?? [])];
  }

  /** Whether the group has ever had a position there. */
  has(site: SiteName, group: string): boolean {
    return (this.#readings.get(site)?.get(group)?.positions.size ?? 0) > 0;
  }

  /** Positions of a group at a site; a position whose commit was deleted has no offset. */
  positions(site: SiteName, group: string): readonly GroupPosition[] {
    return [...(this.#readings.get(site)?.get(group)?.positions.values() ?? [])];
  }

  position(site: SiteName, group: string, key: string): GroupPosition | undefined {
    return this.#readings.get(site)?.get(group)?.positions.get(key);
  }

  /** Up to when what is known of the group is all there was; undefined: nothing is known. */
  asOfMs(site: SiteName, group: string): number | undefined {
    const reading = this.#readings.get(site)?.get(group);
    return reading && Math.max(reading.asOfMs, this.siteAsOfMs(site) ?? -Infinity);
  }

  /** Up to when all groups of the site are known; undefined: they never all were. */
  siteAsOfMs(site: SiteName): number | undefined {
    return this.#times.get(site)?.asOfMs;
  }

  *all(site: SiteName): Iterable<GroupPosition> {
    for (const reading of this.#readings.get(site)?.values() ?? [])
      yield* reading.positions.values();
  }

  /** From now on only `observe` and `change` count for that site: this agent reads it by itself. */
  claim(site: SiteName): void {
    this.#claimed.add(site);
  }

  /** Others read the site again; whatever they say is newer, by whatever clock. */
  release(site: SiteName): void {
    if (!this.#claimed.delete(site)) return;
    for (const reading of this.#readings.get(site)?.values() ?? []) {
      reading.asOfMs = 0;
      for (const [key, one] of reading.positions) reading.positions.set(key, { ...one, asOfMs: 0 });
    }
  }

  /**
   * All commits of a group, read at one moment. What was known and is not in it has been deleted.
   */
  observe(site: SiteName, group: string, offsets: readonly ObservedOffset[], asOfMs: number): void {
    const before = this.#readings.get(site)?.get(group);
    const found = new Set(offsets.map(({ topic, partition }) => `${topic}/${partition}`));
    const gone = [...(before?.positions ?? [])].flatMap(([key, { topic, partition }]) =>
      found.has(key) ? [] : [goneAt(topic, partition)],
    );
    this.change(site, group, [...offsets, ...gone], asOfMs);
  }

  /** Some commits of a group, all that changed since it was read last. */
  change(site: SiteName, group: string, offsets: readonly ObservedOffset[], asOfMs: number): void {
    const known = this.#readings.get(site)?.get(group);
    // A commit that never was is nothing to speak of.
    const spoken = offsets.filter(({ topic, partition, offset }) => {
      return offset !== undefined || known?.positions.has(`${topic}/${partition}`) === true;
    });
    if (known === undefined && spoken.length === 0) return;
    const reading = known ?? this.#open(site, group);
    reading.asOfMs = Math.max(reading.asOfMs, asOfMs);
    this.#put(
      reading,
      spoken.map((one) => ({ site, group, asOfMs, ...one })),
    );
  }

  /** Positions, as a peer streamed them. */
  take(position: GroupPosition): void {
    const { site, group, topic, partition, asOfMs } = position;
    if (this.#claimed.has(site)) return;
    const known = this.position(site, group, `${topic}/${partition}`);
    if (known !== undefined && known.asOfMs > asOfMs) return;
    const reading = this.#readings.get(site)?.get(group) ?? this.#open(site, group);
    reading.asOfMs = Math.max(reading.asOfMs, asOfMs);
    this.#put(reading, [position]);
  }

  /** All groups of the site were known at that time: says who reads it, or a peer of theirs. */
  noteAsOf(site: SiteName, asOfMs: number): void {
    const time = this.#times.get(site);
    if (time !== undefined && time.asOfMs >= asOfMs) return;
    if (time === undefined) this.#times.set(site, { asOfMs, storedMs: -Infinity });
    else time.asOfMs = asOfMs;
    for (const listener of this.#listeners) listener({ kind: 'as_of', site, asOfMs });
  }

  takeAsOf(site: SiteName, asOfMs: number): void {
    if (!this.#claimed.has(site)) this.noteAsOf(site, asOfMs);
  }

  /** Stores what changed since the last call; what could not be stored is due again. */
  async store(append: (records: readonly StateRecord[]) => Promise<void>): Promise<void> {
    const taken = [...this.#dirty];
    this.#dirty.clear();
    const times = [...this.#times].filter(([, one]) => one.asOfMs - one.storedMs >= storeAsOfMs);
    const told = times.map(([site, time]) => ({ time, site, asOfMs: time.asOfMs }));
    try {
      // A time behind all that was known by then.
      await append([
        ...taken.map(positionsRecord),
        ...told.map(({ site, asOfMs }) => readRecord(site, asOfMs)),
      ]);
      for (const { time, asOfMs } of told) time.storedMs = asOfMs;
    } catch (error) {
      for (const reading of taken) this.#dirty.add(reading);
      throw error;
    }
  }

  /**
   * Drops groups that have had no commit at any site for so long, as of calls of this: one that is
   * still seen at one site was seen at the others too. Returns the tombstones of what is stored.
   */
  forget(nowMs: number, keptMs: number): readonly StateRecord[] {
    const dropped: StateRecord[] = [];
    for (const group of new Set(this.sites().flatMap((site) => this.groups(site)))) {
      if (this.#isGone(group)) this.#goneSinceMs.set(group, this.#goneSinceMs.get(group) ?? nowMs);
      else this.#goneSinceMs.delete(group);
      if (nowMs - (this.#goneSinceMs.get(group) ?? Infinity) < keptMs) continue;
      this.#goneSinceMs.delete(group);
      for (const [site, groups] of this.#readings) {
        const reading = groups.get(group);
        if (reading === undefined) continue;
        groups.delete(group);
        this.#dirty.delete(reading);
        dropped.push(positionsTombstone(site, group));
      }
    }
    return dropped;
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const found = parsePositions(record);
    if (found === undefined) return false;
    if (found.kind === 'read') {
      const { site, asOfMs } = found;
      const known = this.#times.get(site);
      if (known === undefined) this.#times.set(site, { asOfMs, storedMs: asOfMs });
      else if (!this.#claimed.has(site)) known.asOfMs = Math.max(known.asOfMs, asOfMs);
    }
    if (found.kind === 'group') this.#load(found);
    return true;
  }

  /** It is stored already: but listeners hear of what is new in it. */
  #load({ site, group, asOfMs, positions }: StoredGroup): void {
    if (this.#claimed.has(site)) return;
    const known = this.#readings.get(site)?.get(group);
    if (known !== undefined && known.asOfMs >= asOfMs) return;
    const reading = known ?? this.#open(site, group);
    const isDirty = this.#dirty.has(reading);
    reading.asOfMs = asOfMs;
    this.#put(reading, positions);
    if (!isDirty) this.#dirty.delete(reading);
  }

  #put(reading: Reading, positions: readonly GroupPosition[]): void {
    const changed: GroupPosition[] = [];
    for (const position of positions) {
      const key = `${position.topic}/${position.partition}`;
      const known = reading.positions.get(key);
      reading.positions.set(key, position);
      if (known === undefined || !isSame(known, position)) changed.push(position);
    }
    if (changed.length === 0) return;
    this.#dirty.add(reading);
    for (const listener of this.#listeners) listener({ kind: 'positions', changed });
  }

  #isGone(group: string): boolean {
    return this.sites().every((site) =>
      this.positions(site, group).every(({ offset }) => offset === undefined),
    );
  }

  #open(site: SiteName, group: string): Reading {
    let groups = this.#readings.get(site);
    if (groups === undefined) {
      groups = new Map();
      this.#readings.set(site, groups);
    }
    const reading: Reading = { site, group, asOfMs: -Infinity, positions: new Map() };
    groups.set(group, reading);
    return reading;
  }
}

/** Nothing of it has changed but when it was read. */
function isSame(a: GroupPosition, b: GroupPosition): boolean {
  return a.offset === b.offset && a.leaderEpoch === b.leaderEpoch && a.metadata === b.metadata;
}

/** There is no commit any more. */
export function goneAt(topic: string, partition: number): ObservedOffset {
  return { topic, partition, offset: undefined, leaderEpoch: -1, metadata: '' };
}
