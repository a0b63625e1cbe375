/**
 * Who is at home where, and what agents wrote into groups: kept in `__causeway-groups`.
 *
 * Invariants: of two homes of a group the one with the higher epoch counts, everywhere; an offset
 * that stands at a site is ours only if this ledger says that we wrote just that.
 */
import { MeshError } from '../base/errors.ts';
import { isSiteName } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupHome } from './answer.ts';

const homePrefix = 'home/1/';
const writtenPrefix = 'written/1/';

export interface WrittenOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export class Ledger {
  readonly #homes = new Map<string, GroupHome>();
  /** By group; offsets by `topic/partition`, at the site of this ledger. */
  readonly #written = new Map<string, ReadonlyMap<string, bigint>>();
  readonly #append: (records: readonly StateRecord[]) => Promise<void>;
  readonly #listeners = new Set<(group: string, home: GroupHome) => void>();

  constructor(append: (records: readonly StateRecord[]) => Promise<void>) {
    this.#append = append;
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
   * Takes a home over unless a higher epoch is known; resolves when stored. True when it was
   * taken.
   */
  async setHome(group: string, home: GroupHome): Promise<boolean> {
    if (!this.#takeHome(group, home)) return false;
    const value = Buffer.from(JSON.stringify(home));
    await this.#append([{ key: Buffer.from(`${homePrefix}${group}`), value }]);
    return true;
  }

  /** True when that offset is what agents of this site wrote there last. */
  isOurs(group: string, { topic, partition, offset }: WrittenOffset): boolean {
    return this.#written.get(group)?.get(`${topic}/${partition}`) === offset;
  }

  /** To be called, and waited for, before the offsets are committed. */
  async noteWritten(group: string, offsets: readonly WrittenOffset[]): Promise<void> {
    const written = new Map(this.#written.get(group));
    for (const { topic, partition, offset } of offsets)
      written.set(`${topic}/${partition}`, offset);
    this.#written.set(group, written);
    const entries = [...written].map(([key, offset]) => [key, offset.toString()]);
    const value = Buffer.from(JSON.stringify(entries));
    await this.#append([{ key: Buffer.from(`${writtenPrefix}${group}`), value }]);
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const key = record.key.toString('utf8');
    if (key.startsWith(homePrefix)) {
      if (record.value !== null)
        this.#takeHome(key.slice(homePrefix.length), parseHome(key, record.value));
      return true;
    }
    if (!key.startsWith(writtenPrefix)) return false;
    if (record.value !== null) {
      this.#written.set(key.slice(writtenPrefix.length), parseWritten(key, record.value));
    }
    return true;
  }

  #takeHome(group: string, home: GroupHome): boolean {
    const known = this.#homes.get(group);
    if (known !== undefined && known.epoch >= home.epoch) return false;
    this.#homes.set(group, home);
    for (const listener of this.#listeners) listener(group, home);
    return true;
  }
}

function parseHome(key: string, value: Buffer): GroupHome {
  try {
    // Both fields are checked at once.
    const { site, epoch } = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    if (typeof site !== 'string' || !isSiteName(site) || !Number.isSafeInteger(epoch)) {
      throw new Error('site or epoch');
    }
    return { site, epoch: Number(epoch) };
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not a home: ${String(cause)}`);
  }
}

function parseWritten(key: string, value: Buffer): ReadonlyMap<string, bigint> {
  try {
    // A list of pairs, or the conversion fails.
    const entries = JSON.parse(value.toString('utf8')) as [string, string][];
    return new Map(entries.map(([name, offset]) => [name, BigInt(offset)]));
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not written offsets: ${String(cause)}`);
  }
}
