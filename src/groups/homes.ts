/**
 * Of two homes of one group: which counts. And how a home is stored.
 *
 * Invariant: every site that has heard both comes to the same, in whatever order. Two that were
 * made by agents alone, in one epoch, at sites that could not hear each other, are a contest:
 * nobody has decided. Two that people made are settled by name, and told.
 */
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';
import type { GroupAt, GroupHome, HomeRival, HomeState, LogPlace, Overlap } from './answer.ts';

/** In one epoch: what was decided, then what was seen to be open, then what agents took for so. */
const weight: Readonly<Record<HomeState, number>> = {
  declared: 0,
  found: 0,
  provisional: 1,
  contested: 2,
  moved: 3,
};

/** What counts after `told` has been heard; undefined: what is known already. */
export function succeeding(known: GroupHome | undefined, told: GroupHome): GroupHome | undefined {
  if (known === undefined) return told;
  const more = told.epoch - known.epoch || weight[told.state] - weight[known.state];
  if (more !== 0) return more > 0 ? told : undefined;
  if (known.site === told.site) return undefined;
  const isFirst = told.site < known.site;
  if (weight[told.state] >= weight.contested) return isFirst ? told : undefined;
  return isFirst ? contest(told, known) : contest(known, told);
}

function contest(first: GroupHome, second: GroupHome): GroupHome {
  const isDeclared = [first, second].some(({ rival }) => rival?.isDeclared === true);
  const rival = { site: second.site, left: [], overlap: [], isDeclared };
  return { site: first.site, epoch: first.epoch, state: 'contested', rival };
}

/** Whether the site has to let go of what the group committed there, now that its home moved. */
export function isLeft({ site, state }: GroupHome, from: SiteName): boolean {
  return site !== from && state === 'moved';
}

export function homeValue({ site, epoch, state, rival, standsFor }: GroupHome): Buffer {
  const value = { site, epoch, state, rival, standsFor };
  return Buffer.from(
    JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one)),
  );
}

/** @param key told in the error. @throws MeshError state_corrupt */
export function parseHome(key: string, value: Buffer): GroupHome {
  try {
    const { epoch, state, ...fields } = object(JSON.parse(value.toString('utf8')));
    if (!Number.isSafeInteger(epoch)) throw new Error('epoch');
    const home = { site: siteOf(fields['site']), epoch: Number(epoch), state: stateOf(state) };
    const { rival, standsFor } = fields;
    return {
      ...home,
      ...(rival === undefined ? {} : { rival: rivalOf(object(rival)) }),
      ...(standsFor === undefined ? {} : { standsFor: groupAtOf(object(standsFor)) }),
    };
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not a home: ${String(cause)}`);
  }
}

function rivalOf({ site, left, overlap, isDeclared }: Record<string, unknown>): HomeRival {
  return {
    site: siteOf(site),
    left: list(left).map((one): LogPlace => ({ ...logOf(one), offset: offsetOf(one['offset']) })),
    overlap: list(overlap).map((one): Overlap => ({
      site: siteOf(one['site']),
      ...logOf(one),
      from: one['from'] === undefined ? undefined : offsetOf(one['from']),
      to: offsetOf(one['to']),
    })),
    isDeclared: isDeclared === true,
  };
}

function groupAtOf({ group, site }: Record<string, unknown>): GroupAt {
  if (typeof group !== 'string') throw new Error('standsFor');
  return { group, site: siteOf(site) };
}

function object(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('no object');
  // Any object may be looked into by a key; what is not there is undefined.
  return value as Record<string, unknown>;
}

function list(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) throw new Error('no list');
  return value.map(object);
}

function siteOf(value: unknown): SiteName {
  if (typeof value !== 'string' || !isSiteName(value)) throw new Error('site');
  return value;
}

/** Homes that were stored before they had a state had been moved. */
function stateOf(value: unknown): HomeState {
  if (value === undefined) return 'moved';
  if (typeof value !== 'string' || !Object.hasOwn(weight, value)) throw new Error('state');
  // A key of the table of all states.
  return value as HomeState;
}

function logOf({
  topic,
  partition,
}: Record<string, unknown>): Pick<LogPlace, 'topic' | 'partition'> {
  if (typeof topic !== 'string' || !Number.isSafeInteger(partition)) throw new Error('log');
  return { topic, partition: Number(partition) };
}

function offsetOf(value: unknown): bigint {
  if (typeof value !== 'string') throw new Error('offset');
  return BigInt(value);
}
