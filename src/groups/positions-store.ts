/**
 * The last known committed offsets of every group at every site, kept in memory and, record by
 * group, in `__causeway-groups`: so that they outlive the site they came from, and this agent.
 *
 * Invariant: of two readings of a group at a site the later one counts, whoever brought it.
 */
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupPosition } from './answer.ts';

const keyPrefix = 'position/1/';
/** A reading that says nothing new is stored again only so often. */
const refreshMs = 30_000;

interface Reading {
  readonly site: SiteName;
  readonly group: string;
  readonly asOfMs: number;
  readonly storedAsOfMs: number;
  /** By `topic/partition`. */
  readonly positions: ReadonlyMap<string, GroupPosition>;
}

export interface ObservedOffset {
  readonly topic: string;
  readonly partition: number;
  /** undefined: there is no commit any more. */
  readonly offset: bigint | undefined;
  readonly leaderEpoch: number;
  readonly metadata: string;
}

export class PositionsStore {
  readonly #readings = new Map<SiteName, Map<string, Reading>>();
  readonly #dirty = new Set<Reading>();
  readonly #listeners = new Set<(changed: readonly GroupPosition[]) => void>();

  /** Told of positions that changed, and of readings that only became newer once in a while. */
  onChange(listener: (changed: readonly GroupPosition[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  sites(): readonly SiteName[] {
    return [...this.#readings.keys()];
  }

  groups(site: SiteName): readonly string[] {
    return [...(this.#readings.get(site)?.keys() ?? [])];
  }

  /** Positions of a group at a site; a position whose commit was deleted has no offset. */
  positions(site: SiteName, group: string): readonly GroupPosition[] {
    return [...(this.#readings.get(site)?.get(group)?.positions.values() ?? [])];
  }

  asOfMs(site: SiteName, group: string): number | undefined {
    return this.#readings.get(site)?.get(group)?.asOfMs;
  }

  *all(site: SiteName): Iterable<GroupPosition> {
    for (const reading of this.#readings.get(site)?.values() ?? [])
      yield* reading.positions.values();
  }

  /**
   * All commits of a group, read at one moment. What was known and is not in it has been deleted.
   */
  observe(site: SiteName, group: string, offsets: readonly ObservedOffset[], asOfMs: number): void {
    const before = this.#readings.get(site)?.get(group);
    if (before !== undefined && before.asOfMs > asOfMs) return;
    const found = new Map(offsets.map((one) => [`${one.topic}/${one.partition}`, one]));
    for (const [key, { topic, partition }] of before?.positions ?? []) {
      const gone = { topic, partition, offset: undefined, leaderEpoch: -1, metadata: '' };
      if (!found.has(key)) found.set(key, gone);
    }
    const positions = new Map(
      [...found].map(([key, one]): [string, GroupPosition] => [
        key,
        { site, group, asOfMs, ...one },
      ]),
    );
    this.#replace({
      site,
      group,
      asOfMs,
      storedAsOfMs: before?.storedAsOfMs ?? -Infinity,
      positions,
    });
  }

  /** One position, as a peer streamed it. */
  take(position: GroupPosition): void {
    const { site, group, topic, partition, asOfMs } = position;
    const before = this.#readings.get(site)?.get(group);
    const key = `${topic}/${partition}`;
    const known = before?.positions.get(key);
    if (known !== undefined && known.asOfMs > asOfMs) return;
    const positions = new Map(before?.positions);
    positions.set(key, position);
    const newest = Math.max(before?.asOfMs ?? 0, asOfMs);
    const storedAsOfMs = before?.storedAsOfMs ?? -Infinity;
    this.#replace({ site, group, asOfMs: newest, storedAsOfMs, positions });
  }

  /** Stores what changed since the last call; what could not be stored is due again. */
  async store(append: (records: readonly StateRecord[]) => Promise<void>): Promise<void> {
    const taken = [...this.#dirty];
    this.#dirty.clear();
    try {
      await append(taken.map(toRecord));
    } catch (error) {
      for (const { site, group } of taken) {
        const newest = this.#readings.get(site)?.get(group);
        if (newest !== undefined) this.#dirty.add(newest);
      }
      throw error;
    }
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const key = record.key.toString('utf8');
    if (!key.startsWith(keyPrefix)) return false;
    const [site = '', ...rest] = key.slice(keyPrefix.length).split('/');
    const group = rest.join('/');
    if (!isSiteName(site)) throw unreadable(key, 'no site name');
    if (record.value === null) return true;
    const reading = parseReading(key, site, group, record.value);
    const known = this.#readings.get(site)?.get(group);
    if (known === undefined || known.asOfMs < reading.asOfMs) this.#set(reading);
    return true;
  }

  #replace(reading: Reading): void {
    const before = this.#readings.get(reading.site)?.get(reading.group);
    const changed = [...reading.positions].filter(([key, position]) => {
      const known = before?.positions.get(key);
      return known?.offset !== position.offset || known?.metadata !== position.metadata;
    });
    const isStale = reading.asOfMs - reading.storedAsOfMs >= refreshMs;
    const kept = { ...reading };
    // What was not stored yet of the reading before is in this one.
    const wasDirty = before !== undefined && this.#dirty.delete(before);
    const mustTell = changed.length > 0 || isStale;
    if (mustTell) kept.storedAsOfMs = reading.asOfMs;
    this.#set(kept);
    if (mustTell || wasDirty) this.#dirty.add(kept);
    if (!mustTell) return;
    const told = isStale ? [...kept.positions.values()] : changed.map(([, position]) => position);
    for (const listener of this.#listeners) listener(told);
  }

  #set(reading: Reading): void {
    let groups = this.#readings.get(reading.site);
    if (groups === undefined) {
      groups = new Map();
      this.#readings.set(reading.site, groups);
    }
    groups.set(reading.group, reading);
  }
}

interface StoredReading {
  readonly asOfMs: unknown;
  /** topic, partition, offset, leader epoch, metadata */
  readonly positions: readonly (readonly [unknown, number, string | null, number, unknown])[];
}

function toRecord({ site, group, asOfMs, positions }: Reading): StateRecord {
  const list = [...positions.values()].map(
    ({ topic, partition, offset, leaderEpoch, metadata }) => {
      return [topic, partition, offset?.toString() ?? null, leaderEpoch, metadata];
    },
  );
  return {
    key: Buffer.from(`${keyPrefix}${site}/${group}`),
    value: Buffer.from(JSON.stringify({ asOfMs, positions: list })),
  };
}

function parseReading(key: string, site: SiteName, group: string, value: Buffer): Reading {
  try {
    // Each part is converted, and what does not fit is refused, below.
    const fields = JSON.parse(value.toString('utf8')) as StoredReading;
    const asOfMs = Number(fields.asOfMs);
    if (!Number.isFinite(asOfMs)) throw new Error('asOfMs');
    const positions = fields.positions.map(([topic, partition, offset, leaderEpoch, metadata]) => {
      if (typeof topic !== 'string' || typeof metadata !== 'string') throw new Error('topic');
      if (!Number.isInteger(partition) || !Number.isInteger(leaderEpoch)) throw new Error(topic);
      const position: GroupPosition = {
        site,
        group,
        topic,
        partition,
        offset: offset === null ? undefined : BigInt(offset),
        leaderEpoch,
        metadata,
        asOfMs,
      };
      return [`${position.topic}/${position.partition}`, position] as const;
    });
    return { site, group, asOfMs, storedAsOfMs: asOfMs, positions: new Map(positions) };
  } catch (cause) {
    throw unreadable(key, String(cause));
  }
}

function unreadable(key: string, found: string): MeshError {
  return new MeshError('state_corrupt', `record ${key}: not a reading of a group: ${found}`, {
    details: { key },
  });
}
