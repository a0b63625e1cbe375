/**
 * Who is at home where, and what agents wrote into groups: kept in `__causeway-groups`.
 *
 * Invariants: of two homes of a group the one with the higher epoch counts, everywhere, and of one
 * epoch what `homes.ts` says; an offset that stands at a site is ours only if this ledger says that
 * we wrote just that.
 */
import { MeshError } from '../base/errors.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupHome } from './answer.ts';
import { homeValue, parseHome, succeeding } from './homes.ts';

const homePrefix = 'home/1/';
const writtenPrefix = 'written/1/';
const leftPrefix = 'left/1/';

/** Of commits that were tried and not known to be accepted so many are remembered. */
const triedMax = 16;
/** Of what was written shortly before. */
const recentMax = 4;
/** Of records that have not come round yet. */
const underWayMax = 16;

export interface WrittenOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export class Ledger {
  readonly #homes = new Map<string, GroupHome>();
  /**
   * By group, then by `topic/partition`, at the site of this ledger: what may stand there from us.
   * Last what was accepted, before it what has been tried since, the newest first.
   */
  readonly #written = new Map<string, ReadonlyMap<string, readonly bigint[]>>();
  /** By group, then by `topic/partition`: what was written last, oldest first. */
  readonly #recent = new Map<string, Map<string, readonly bigint[]>>();
  /** Records of this process that have not come round yet, by group: memory is newer. */
  readonly #underWay = new Map<string, readonly Buffer[]>();
  /** By group: the epoch of the home that its leaving from here has been seen to the end of. */
  readonly #left = new Map<string, number>();
  /** Homes that are known here, and may not be stored. */
  readonly #unstored = new Map<string, GroupHome>();
  readonly #append: (records: readonly StateRecord[]) => Promise<void>;
  readonly #listeners = new Set<(group: string, home: GroupHome) => void>();
  readonly #onConflict: (group: string, homes: readonly GroupHome[]) => void;

  /** @param onConflict told when two sites were made the home in one epoch, apart */
  constructor(
    append: (records: readonly StateRecord[]) => Promise<void>,
    onConflict: (group: string, homes: readonly GroupHome[]) => void = () => undefined,
  ) {
    this.#append = append;
    this.#onConflict = onConflict;
  }

  onHome(listener: (group: string, home: GroupHome) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  home(group: string): GroupHome | undefined {
    return this.#homes.get(group);
  }

  homes(): Iterable<readonly [string, GroupHome]> {
    return this.#homes.entries();
  }

  /**
   * Takes a home over unless what is known counts more; resolves when stored. True when it, or
   * that it is contested, has been taken.
   */
  async setHome(group: string, home: GroupHome): Promise<boolean> {
    return (await this.setHomes([[group, home]])) > 0;
  }

  /** The same for many, stored together; how many have been taken. */
  async setHomes(homes: readonly (readonly [group: string, home: GroupHome])[]): Promise<number> {
    const taken = homes.flatMap(([group, home]) => {
      const one = this.#takeHome(group, home);
      return one === undefined ? [] : [[group, one] as const];
    });
    for (const [group, home] of taken) this.#unstored.set(group, home);
    await this.storeHomes();
    return taken.length;
  }

  /** What could not be stored before is stored now, or is due again. */
  async storeHomes(): Promise<void> {
    // What has been succeeded must not be the last that is stored.
    for (const [group, home] of this.#unstored) {
      if (this.#homes.get(group) !== home) this.#unstored.delete(group);
    }
    const due = [...this.#unstored];
    if (due.length === 0) return;
    await this.#append(
      due.map(([group, home]) => {
        return { key: Buffer.from(`${homePrefix}${group}`), value: homeValue(home) };
      }),
    );
    for (const [group, home] of due) {
      if (this.#unstored.get(group) === home) this.#unstored.delete(group);
    }
  }

  /**
   * True when that offset is what agents of this site wrote there last, or tried to write since: a
   * commit may be refused, or die on the way, and may have landed nevertheless.
   */
  isOurs(group: string, { topic, partition, offset }: WrittenOffset): boolean {
    return this.#written.get(group)?.get(`${topic}/${partition}`)?.includes(offset) ?? false;
  }

  /**
   * True when agents of this site wrote that offset there last or shortly before: the log of
   * commits is heard later than this ledger, which is ahead of it by what is being written.
   */
  wrote(group: string, offset: WrittenOffset): boolean {
    const recent = this.#recent.get(group)?.get(`${offset.topic}/${offset.partition}`);
    return this.isOurs(group, offset) || (recent?.includes(offset.offset) ?? false);
  }

  writtenGroups(): readonly string[] {
    return [...this.#written.keys()];
  }

  hasWritten(group: string): boolean {
    return this.#written.has(group);
  }

  /** What agents of this site wrote there last, as far as it was accepted. */
  written(group: string): WrittenOffset[] {
    return [...(this.#written.get(group) ?? [])].flatMap(([key, offsets]) => {
      const offset = offsets.at(-1);
      const slash = key.lastIndexOf('/');
      const log = { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)) };
      return offset === undefined ? [] : [{ ...log, offset }];
    });
  }

  /** Whether what the group had committed here before its home moved away has become ours. */
  hasLeft(group: string, epoch: number): boolean {
    return (this.#left.get(group) ?? 0) >= epoch;
  }

  async noteLeft(group: string, epoch: number): Promise<void> {
    const value = Buffer.from(JSON.stringify({ epoch }));
    await this.#append([{ key: Buffer.from(`${leftPrefix}${group}`), value }]);
    this.#left.set(group, epoch);
  }

  /** To be called, and waited for, before the offsets are committed. */
  async noteWritten(group: string, offsets: readonly WrittenOffset[]): Promise<void> {
    const written = new Map(this.#written.get(group));
    for (const { topic, partition, offset } of offsets) {
      const key = `${topic}/${partition}`;
      const before = written.get(key) ?? [];
      const accepted = before.slice(-1);
      const tried = [offset, ...before.slice(0, -1)].slice(0, triedMax);
      written.set(key, [...tried, ...accepted]);
      this.#noteRecent(group, key, offset);
    }
    this.#written.set(group, written);
    const entries = [...written].map(([key, ours]) => [key, ours.map(String)]);
    const value = Buffer.from(JSON.stringify(entries));
    const underWay = this.#underWay.get(group) ?? [];
    this.#underWay.set(group, [...underWay, value].slice(-underWayMax));
    await this.#append([{ key: Buffer.from(`${writtenPrefix}${group}`), value }]);
  }

  /**
   * Nothing that agents wrote stands there any more.
   * @param known what was written when that was seen: what has been written since is kept
   */
  async forgetWritten(group: string, known: readonly WrittenOffset[]): Promise<void> {
    const now = this.written(group);
    const isSame =
      now.length === known.length && now.every(({ offset }, at) => offset === known[at]?.offset);
    if (!isSame || this.#underWay.has(group)) return;
    this.#written.delete(group);
    this.#recent.delete(group);
    await this.#append([{ key: Buffer.from(`${writtenPrefix}${group}`), value: null }]);
  }

  /** They were accepted: what was tried before is not there any more. Stored with the next note. */
  confirmWritten(group: string, offsets: readonly WrittenOffset[]): void {
    const written = new Map(this.#written.get(group));
    for (const { topic, partition, offset } of offsets) {
      written.set(`${topic}/${partition}`, [offset]);
    }
    this.#written.set(group, written);
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const key = record.key.toString('utf8');
    if (key.startsWith(homePrefix)) {
      if (record.value !== null)
        this.#takeHome(key.slice(homePrefix.length), parseHome(key, record.value));
      return true;
    }
    if (key.startsWith(leftPrefix)) {
      if (record.value !== null) {
        this.#left.set(key.slice(leftPrefix.length), parseLeft(key, record.value));
      }
      return true;
    }
    if (!key.startsWith(writtenPrefix)) return false;
    const group = key.slice(writtenPrefix.length);
    if (record.value === null) {
      // What this process has written since is still to come round.
      if (!this.#underWay.has(group)) this.#written.delete(group);
      return true;
    }
    if (this.#hasComeRound(group, record.value)) return true;
    const written = parseWritten(key, record.value);
    this.#written.set(group, written);
    for (const [name, [newest]] of written) {
      if (newest !== undefined) this.#noteRecent(group, name, newest);
    }
    return true;
  }

  #hasComeRound(group: string, value: Buffer): boolean {
    const underWay = this.#underWay.get(group) ?? [];
    const at = underWay.findIndex((one) => one.equals(value));
    if (at < 0) return false;
    if (at + 1 === underWay.length) this.#underWay.delete(group);
    else this.#underWay.set(group, underWay.slice(at + 1));
    return true;
  }

  #noteRecent(group: string, key: string, offset: bigint): void {
    let recent = this.#recent.get(group);
    if (recent === undefined) {
      recent = new Map();
      this.#recent.set(group, recent);
    }
    const before = recent.get(key) ?? [];
    if (before.at(-1) !== offset) recent.set(key, [...before, offset].slice(-recentMax));
  }

  #takeHome(group: string, home: GroupHome): GroupHome | undefined {
    const known = this.#homes.get(group);
    const taken = succeeding(known, home);
    if (taken === undefined) return undefined;
    if (known !== undefined && known.epoch === taken.epoch && known.site !== home.site) {
      this.#onConflict(group, [known, home]);
    }
    this.#homes.set(group, taken);
    for (const listener of this.#listeners) listener(group, taken);
    return taken;
  }
}

function parseLeft(key: string, value: Buffer): number {
  try {
    const { epoch } = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    if (!Number.isSafeInteger(epoch)) throw new Error('epoch');
    return Number(epoch);
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not an epoch: ${String(cause)}`);
  }
}

function parseWritten(key: string, value: Buffer): ReadonlyMap<string, readonly bigint[]> {
  try {
    // A list of pairs, or the conversion fails.
    const entries = JSON.parse(value.toString('utf8')) as [string, string[]][];
    return new Map(entries.map(([name, ours]) => [name, ours.map(BigInt)]));
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not written offsets: ${String(cause)}`);
  }
}
