/**
 * Where copying stood, by what is in the target: the tail of its log behind what the offset map
 * knows, or all of it when the map is lost.
 *
 * Invariants: the position is behind the last copy in the log, never behind one that was only
 * meant; where nothing tells what the last copy is, nobody guesses.
 */
import { MeshError } from '../base/errors.ts';
import type { MapWriter } from '../offsets/map-book.ts';
import type { Run } from '../offsets/run.ts';
import type { CopyKey, CopyRecord } from './copy-journal.ts';
import type { FlowContext } from './flow-context.ts';
import type { Unmapped } from './map-rebuild.ts';
import type { CopyTarget } from './status.ts';
import type { TailFound } from './tail-found.ts';
import type { TailReader } from './tail-reader.ts';

export interface Ends {
  readonly sourceStart: number;
  readonly sourceEnd: number;
  readonly targetStart: number;
}

export interface Recovery {
  readonly id: CopyTarget;
  readonly reader: TailReader;
  readonly map: MapWriter;
  readonly record: CopyRecord;
  readonly marker: number;
  readonly ends: Ends;
  readonly isNew: boolean;
  readonly signal: AbortSignal;
}

export interface Recovered {
  readonly position: number;
  /** Copies at the target that the map does not know: to be read back. */
  readonly unmapped: Unmapped | undefined;
}

/** Where copying stood, as the map has it, and what the target's log says. */
export interface Tail {
  readonly end: MapWriter['end'];
  readonly found: TailFound;
}

/**
 * What the fenced holder wrote in the pass lane can be told only by what it stored, and that may
 * not have been read here yet: neither the journal nor the map that replaced the journal.
 */
export async function readTail(
  recovery: Recovery,
  key: CopyKey,
  context: FlowContext,
): Promise<Tail> {
  const { passes, lanes } = context;
  const isPassed = (): boolean => passes.has(key);
  if (isPassed() || lanes.of(key.topic).lane === 'pass') {
    await passes.sync(recovery.signal);
    return readTailOnce(recovery);
  }
  const tail = await readTailOnce(recovery);
  if (!tail.found.isCut && !isPassed()) return tail;
  await passes.sync(recovery.signal);
  return readTailOnce(recovery);
}

async function readTailOnce({ id, map, marker, ends, reader, signal }: Recovery): Promise<Tail> {
  const { end } = map;
  if (end === undefined) return { end, found: await reader.last(ends.targetStart, marker, signal) };
  if (marker < end.target) {
    throw new MeshError(
      'target_reset',
      `${id.remoteTopic}/${id.partition} ends at ${marker}, before the last copy at ${end.target}`,
      { details: { topic: id.remoteTopic, partition: id.partition, found: marker } },
    );
  }
  return { end, found: await reader.read(Math.max(end.target, ends.targetStart), marker, signal) };
}

export function recover(recovery: Recovery, { end, found }: Tail): Recovered {
  const { map, id, record, marker } = recovery;
  if (found.isLost) throw positionLost(id);
  if (end === undefined) return recoverWithoutMap(recovery, found);
  // Where a copy cannot be told the map has a gap: what it says of that are lower bounds.
  const gapEnd = found.isCut ? (found.runs[0]?.sourceOffset ?? 0) : 0;
  const scanned = Math.max(map.scannedEnd ?? end.source, Number(record.startOffset), gapEnd);
  let position = scanned;
  const unknown: Run[] = [];
  for (const run of found.runs) {
    if (run.sourceOffset < position) continue; // known already
    unknown.push(run);
    position = run.sourceOffset + run.length;
  }
  map.begin(nextTakeover(recovery), { source: position, target: marker + 1 });
  map.fill(unknown, scanned, position);
  return { position, unmapped: stillUnmapped(recovery) };
}

/** History that an earlier holder did not come to read back. */
function stillUnmapped({ map, ends, record }: Recovery): Unmapped | undefined {
  const start = map.start;
  if (start === undefined || start.isFirst || start.target <= ends.targetStart) return undefined;
  const sourceFrom = Number(record.startOffset);
  return { from: ends.targetStart, to: start.target, sourceFrom, sourceTo: start.source };
}

/** Numbers of takeovers rise with every fence, whoever made it: the marker's offset does too. */
function nextTakeover({ map, marker }: Recovery): number {
  return Math.max(marker, (map.takeover ?? 0) + 1);
}

function recoverWithoutMap(recovery: Recovery, found: TailFound): Recovered {
  const { marker, ends, record, map, id, isNew } = recovery;
  const start = Number(record.startOffset);
  const last = found.runs.at(-1);
  if (last !== undefined) {
    const position = Math.max(start, last.sourceOffset + last.length);
    map.begin(nextTakeover(recovery), { source: position, target: marker + 1 });
    const range = { from: ends.targetStart, to: marker, sourceFrom: start, sourceTo: position };
    return { position, unmapped: range };
  }
  // Copies of an earlier generation are ours too: this one begins behind them.
  if (found.hasRecords && !found.hasOurs) {
    throw new MeshError(
      'not_ours',
      `${id.remoteTopic}/${id.partition} holds records that no agent of this mesh wrote`,
      { details: { topic: id.remoteTopic, partition: id.partition } },
    );
  }
  if (ends.targetStart > 0 && !isNew) {
    throw new MeshError(
      'target_reset',
      `${id.remoteTopic}/${id.partition} is empty and its offset map is lost: where copying stood is not known`,
      { details: { topic: id.remoteTopic, partition: id.partition } },
    );
  }
  map.begin(nextTakeover(recovery), { source: start, target: marker + 1 }, true);
  return { position: start, unmapped: undefined };
}

function positionLost({ remoteTopic, partition }: CopyTarget): MeshError {
  const text =
    `${remoteTopic}/${partition}: the last copies were written in the pass lane, and the journal ` +
    'that tells which records they are was lost with __causeway-offset-maps';
  return new MeshError('position_lost', text, { details: { topic: remoteTopic, partition } });
}
