/** A stretch of late records, and the form in which it is stored: JSON under `late/1/...`. */
import { MeshError } from '../base/errors.ts';
import { parseFlowId, type FlowId } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';

export interface LateStretch {
  readonly flow: FlowId;
  /** Name at the source. */
  readonly topic: string;
  readonly partition: number;
  /** The life of the topic at the source. */
  readonly generation: number;
  /** `[from, to)` at the source; without `to`: its site has not been seen since. */
  readonly from: bigint;
  readonly to: bigint | undefined;
  /** So many at least were known when the group failed over. */
  readonly atLeast: bigint;
  /** `gone`: the log at the source is another one now. */
  readonly state: 'waiting' | 'crossing' | 'arrived' | 'gone';
  /** Where they are, once they have arrived. */
  readonly target:
    { readonly topic: string; readonly from: bigint; readonly to: bigint } | undefined;
  readonly records: number | undefined;
  /** That failed over past them, and under which other id; some, and how many more. */
  readonly groups: readonly { readonly group: string; readonly as: string | undefined }[];
  readonly moreGroups: number;
  /** Wall clock of the agents here: the first failover; the site was seen again; all are here. */
  readonly failedOverAtMs: number;
  readonly seenAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
}

export const lateStates: readonly LateStretch['state'][] = [
  'waiting',
  'crossing',
  'arrived',
  'gone',
];

const prefix = 'late/1/';

export function lateKey({
  flow,
  topic,
  partition,
  from,
}: Pick<LateStretch, 'flow' | 'topic' | 'partition' | 'from'>): string {
  return `${prefix}${flow}/${topic}/${partition}/${from}`;
}

export function lateRecord(stretch: LateStretch): StateRecord {
  const text = JSON.stringify(stretch, (_key, one: unknown) =>
    typeof one === 'bigint' ? one.toString() : one,
  );
  return { key: Buffer.from(lateKey(stretch)), value: Buffer.from(text) };
}

/** undefined: a record of another kind. @throws MeshError state_corrupt */
export function parseLate({
  key,
  value,
}: StateRecord): { key: string; stretch: LateStretch | undefined } | undefined {
  const name = key.toString('utf8');
  if (!name.startsWith(prefix)) return undefined;
  if (value === null) return { key: name, stretch: undefined };
  try {
    return { key: name, stretch: parseStretch(value.toString('utf8')) };
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${name}: not late records: ${String(cause)}`);
  }
}

function parseStretch(text: string): LateStretch {
  // Every field is checked below before it is used.
  const fields = JSON.parse(text) as Record<string, unknown>;
  const number = (name: string): number => {
    const value = fields[name];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new Error(`${name} is ${String(value)}`);
  };
  const known = <T>(name: string, read: (name: string) => T): T | undefined =>
    fields[name] === undefined ? undefined : read(name);
  const offset = (name: string): bigint => offsetOf(fields[name]);
  const { flow, topic, state, groups, target } = fields;
  const found = lateStates.find((one) => one === state);
  if (typeof flow !== 'string' || parseFlowId(flow) === undefined) throw new Error('flow');
  if (typeof topic !== 'string' || found === undefined) throw new Error('topic or state');
  return {
    // It is one: checked above.
    flow: flow as FlowId,
    topic,
    partition: number('partition'),
    generation: number('generation'),
    from: offset('from'),
    to: known('to', offset),
    atLeast: offset('atLeast'),
    state: found,
    target: target === undefined ? undefined : parseTarget(target),
    records: known('records', number),
    groups: parseGroups(groups),
    moreGroups: number('moreGroups'),
    failedOverAtMs: number('failedOverAtMs'),
    seenAtMs: known('seenAtMs', number),
    endedAtMs: known('endedAtMs', number),
  };
}

function offsetOf(value: unknown): bigint {
  if (typeof value === 'string' && /^\d+$/.test(value)) return BigInt(value);
  throw new Error(`an offset is ${String(value)}`);
}

function parseTarget(value: unknown): NonNullable<LateStretch['target']> {
  // Each field is checked.
  const { topic, from, to } = value as Record<string, unknown>;
  if (typeof topic !== 'string') throw new Error('target');
  return { topic, from: offsetOf(from), to: offsetOf(to) };
}

function parseGroups(value: unknown): LateStretch['groups'] {
  if (!Array.isArray(value)) throw new Error('groups');
  return value.map((one: unknown) => {
    // Both fields are checked.
    const { group, as } = one as Record<string, unknown>;
    const isId = (id: unknown): id is string => typeof id === 'string';
    if (isId(group) && (as === undefined || isId(as))) return { group, as };
    throw new Error('groups');
  });
}
