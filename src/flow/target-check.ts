/**
 * Whether the target's log still holds what was written to it, and where it stops to: by the last
 * record that the offset map knows, which must be found there with its stamp. Truncation takes a
 * log's end away; so where the last copy that agrees with the map stands, all before it does too.
 */
import { MeshError } from '../base/errors.ts';
import type { MapReader, MapWriter } from '../offsets/map-book.ts';
import type { Run } from '../offsets/run.ts';
import type { FlowContext } from './flow-context.ts';
import { readTargetEnd, type LogEnds } from './log-ends.ts';
import type { LostRange, Resets } from './resets.ts';
import type { CopyTarget } from './status.ts';
import type { TailReader } from './tail-reader.ts';
import { isPassed } from './topic-lanes.ts';

const windowFirst = 1_000;
const windowGrowth = 8;

export interface TargetQuestion {
  readonly id: CopyTarget;
  readonly context: FlowContext;
  readonly reader: TailReader;
  readonly map: MapWriter;
  readonly ends: LogEnds;
  readonly resets: Resets;
  readonly signal: AbortSignal;
}

/** Whether copies vanished from the target. A log that was trimmed at its start is whole. */
export async function isCut({
  id,
  context,
  reader,
  map,
  ends,
  signal,
}: TargetQuestion): Promise<boolean> {
  const { end } = map;
  if (end === undefined) return false;
  // Where it ended before may be out of date: an older holder writes until it is fenced.
  if (Math.max(ends.targetEnd, await readTargetEnd(id, context)) < end.target) return true;
  const last = end.target - 1;
  if (last < ends.targetStart) return false;
  const { runs, untold } = await reader.read(last, end.target, signal);
  // The journal of the pass lane forgets only what the map knows.
  if (untold === last) return false;
  const found = runs.find(({ targetOffset }) => targetOffset === last);
  if (found !== undefined) return found.sourceOffset !== end.source - 1;
  // From a compacted log it may be gone, as a record without a value is after its time.
  return !(await isCompacted(context, id.remoteTopic));
}

export interface Cut {
  /** The first source offset whose copy vanished. */
  readonly source: number;
  /** Copies of ours that stand behind the place of the cut. */
  readonly strays: readonly Run[];
}

/** Where copies vanished; told, and passed only when the policy is to go on. */
export async function findCut(question: TargetQuestion): Promise<Cut> {
  const { id, context, map, ends, resets, signal } = question;
  const { from, to } = context.settings;
  const key = { flow: context.settings.id, topic: id.topic, partition: id.partition };
  if (isPassed(context, key)) await context.passes.sync(signal);
  const end = map.end ?? { source: 0, target: 0 };
  const book = context.maps.reader(context.settings.id, id.topic, id.partition);
  const strays: Run[] = [];
  const agreed = book && (await lastAgreed(question, book, strays));
  const beginning = book?.inverse(BigInt(ends.targetStart)).offset;
  const source = agreed?.source ?? Number(beginning ?? map.start?.source ?? 0);
  const target = agreed?.target ?? ends.targetStart;
  const lost = Math.min(ends.sourceStart, end.source);
  const ranges: LostRange[] = [
    { site: to, from: target, to: end.target, what: 'vanished' },
    { site: from, from: source, to: lost, what: 'are lost: they are no longer there either' },
    ...strays.map(({ targetOffset, length }) => ({
      site: to,
      from: targetOffset,
      to: targetOffset + length,
      what: 'are copied a second time',
    })),
  ];
  const again = Math.max(source, ends.sourceStart);
  resets.meet({
    end: 'target',
    text: `${id.remoteTopic}/${id.partition} at ${to} was truncated at ${target}`,
    ranges,
    then: `copied again from ${again} at ${from} on`,
  });
  return { source, strays };
}

/** Behind the newest copy that stands where the map says; newer ones are strays. */
async function lastAgreed(
  { id, context, reader, ends, signal }: TargetQuestion,
  map: MapReader,
  strays: Run[],
): Promise<{ source: number; target: number } | undefined> {
  let end = await readTargetEnd(id, context);
  for (let size = windowFirst; end > ends.targetStart; size *= windowGrowth) {
    const begin = Math.max(ends.targetStart, end - size);
    const { runs, untold } = await reader.read(begin, end, signal);
    for (const run of [...runs].reverse()) {
      const last = run.sourceOffset + run.length - 1;
      const { offset, certainty } = map.forward(BigInt(last));
      const isThere = Number(offset ?? -1n) === run.targetOffset + run.length - 1;
      if (certainty === 'exact' && isThere) {
        return { source: last + 1, target: run.targetOffset + run.length };
      }
      strays.unshift(run);
    }
    if (untold !== undefined) return agreedUntold(id, map, untold);
    end = begin;
  }
  return undefined;
}

/**
 * A copy without a stamp that the journal has forgotten, as it does only what the map knows: nobody
 * could have written it behind a cut.
 */
function agreedUntold(
  id: CopyTarget,
  map: MapReader,
  at: number,
): { source: number; target: number } | undefined {
  const { offset, reason } = map.inverse(BigInt(at));
  if (offset !== undefined && reason === 'in_run') {
    return { source: Number(offset) + 1, target: at + 1 };
  }
  // Of an earlier life: nothing of this one is left.
  if (reason === 'before_map') return undefined;
  throw positionLost(id);
}

export function positionLost({ remoteTopic, partition }: CopyTarget): MeshError {
  const text =
    `${remoteTopic}/${partition}: the last copies were written in the pass lane, and the journal ` +
    'that tells which records they are was lost with __causeway-offset-maps';
  return new MeshError('position_lost', text, { details: { topic: remoteTopic, partition } });
}

async function isCompacted({ target }: FlowContext, topic: string): Promise<boolean> {
  const entries = (await target.cluster.topicConfigs([topic])).get(topic);
  const policy = entries?.find(({ name }) => name === 'cleanup.policy')?.value;
  return policy?.includes('compact') ?? true;
}
