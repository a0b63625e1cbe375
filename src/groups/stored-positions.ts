/**
 * How positions are stored in `__causeway-groups`: `position/1/<site>/<group>` holds the commits of
 * a group at a site, `read/1/<site>` the time up to which all of them are known.
 */
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupPosition } from './answer.ts';

const positionPrefix = 'position/1/';
const readPrefix = 'read/1/';

export interface StoredGroup {
  readonly kind: 'group';
  readonly site: SiteName;
  readonly group: string;
  readonly asOfMs: number;
  readonly positions: readonly GroupPosition[];
}

export type StoredPositions =
  | StoredGroup
  | { readonly kind: 'read'; readonly site: SiteName; readonly asOfMs: number }
  | { readonly kind: 'nothing' };

export function positionsRecord(reading: {
  readonly site: SiteName;
  readonly group: string;
  readonly asOfMs: number;
  readonly positions: ReadonlyMap<string, GroupPosition>;
}): StateRecord {
  const { site, group, asOfMs } = reading;
  const positions = [...reading.positions.values()].map(
    ({ topic, partition, offset, leaderEpoch, metadata }) => {
      return [topic, partition, offset?.toString() ?? null, leaderEpoch, metadata];
    },
  );
  return {
    key: Buffer.from(`${positionPrefix}${site}/${group}`),
    value: Buffer.from(JSON.stringify({ asOfMs, positions })),
  };
}

/** Nothing is kept of the group at that site. */
export function positionsTombstone(site: SiteName, group: string): StateRecord {
  return { key: Buffer.from(`${positionPrefix}${site}/${group}`), value: null };
}

export function readRecord(site: SiteName, asOfMs: number): StateRecord {
  return {
    key: Buffer.from(`${readPrefix}${site}`),
    value: Buffer.from(JSON.stringify({ asOfMs })),
  };
}

/** undefined: a record of another kind. @throws MeshError state_corrupt */
export function parsePositions({ key, value }: StateRecord): StoredPositions | undefined {
  const name = key.toString('utf8');
  if (name.startsWith(readPrefix)) {
    const site = siteOf(name, name.slice(readPrefix.length));
    return value === null ? { kind: 'nothing' } : { kind: 'read', site, ...parseTime(name, value) };
  }
  if (!name.startsWith(positionPrefix)) return undefined;
  const [first = '', ...rest] = name.slice(positionPrefix.length).split('/');
  const site = siteOf(name, first);
  return value === null ? { kind: 'nothing' } : parseGroup(name, site, rest.join('/'), value);
}

interface StoredReading {
  readonly asOfMs: unknown;
  /** topic, partition, offset, leader epoch, metadata */
  readonly positions: readonly (readonly [unknown, number, string | null, number, unknown])[];
}

function parseGroup(key: string, site: SiteName, group: string, value: Buffer): StoredGroup {
  try {
    // Each part is converted, and what does not fit is refused, below.
    const fields = JSON.parse(value.toString('utf8')) as StoredReading;
    const asOfMs = Number(fields.asOfMs);
    if (!Number.isFinite(asOfMs)) throw new Error('asOfMs');
    const positions = fields.positions.map(([topic, partition, offset, leaderEpoch, metadata]) => {
      if (typeof topic !== 'string' || typeof metadata !== 'string') throw new Error('topic');
      if (!Number.isInteger(partition) || !Number.isInteger(leaderEpoch)) throw new Error(topic);
      const at = offset === null ? undefined : BigInt(offset);
      return { site, group, topic, partition, offset: at, leaderEpoch, metadata, asOfMs };
    });
    return { kind: 'group', site, group, asOfMs, positions };
  } catch (cause) {
    throw unreadable(key, String(cause));
  }
}

function parseTime(key: string, value: Buffer): { readonly asOfMs: number } {
  try {
    // The one field is checked at once.
    const asOfMs = Number(
      (JSON.parse(value.toString('utf8')) as Record<string, unknown>)['asOfMs'],
    );
    if (!Number.isFinite(asOfMs)) throw new Error('asOfMs');
    return { asOfMs };
  } catch (cause) {
    throw unreadable(key, String(cause));
  }
}

function siteOf(key: string, text: string): SiteName {
  if (isSiteName(text)) return text;
  throw unreadable(key, 'no site name');
}

function unreadable(key: string, found: string): MeshError {
  return new MeshError('state_corrupt', `record ${key}: not a reading of a group: ${found}`, {
    details: { key },
  });
}
