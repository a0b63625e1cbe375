/**
 * Where copying stood, by what is in the target: the tail of its log behind what the offset map
 * knows, or all of it when the map is lost.
 *
 * Invariants: the position is behind the last copy in the log, never behind one that was only
 * meant; where nothing tells what the last copy is, nobody guesses.
 */
import { MeshError } from '../base/errors.ts';
import type { MapWriter } from '../offsets/map-book.ts';
import type { Lives } from './choose-lives.ts';
import type { CopyKey, CopyRecord } from './copy-journal.ts';
import type { Unmapped } from './map-rebuild.ts';
import type { TailFound } from './tail-found.ts';
import { runsBetween } from './runs-between.ts';
import { findCut, positionLost, type TargetQuestion } from './target-check.ts';
import { isPassed } from './topic-lanes.ts';

export interface Recovery extends TargetQuestion {
  readonly key: CopyKey;
  readonly record: CopyRecord;
  readonly marker: number;
  readonly lives: Lives;
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
export async function readTail(recovery: Recovery): Promise<Tail> {
  const { context, key, signal } = recovery;
  if (isPassed(context, key)) {
    await context.passes.sync(signal);
    return readTailOnce(recovery);
  }
  const tail = await readTailOnce(recovery);
  if (!tail.found.isCut && !context.passes.has(key)) return tail;
  await context.passes.sync(signal);
  return readTailOnce(recovery);
}

async function readTailOnce({ id, map, marker, ends, reader, signal }: Recovery): Promise<Tail> {
  const { end, targetFrom = 0 } = map;
  if (end === undefined) return { end, found: await reader.last(ends.targetStart, marker, signal) };
  if (marker < end.target) {
    const text = `${id.remoteTopic}/${id.partition} became shorter while it was taken over`;
    throw new MeshError('fenced', text);
  }
  // What lies before the place where the last holder began to write was read when it began.
  const from = Math.max(end.target, targetFrom, ends.targetStart);
  return { end, found: await reader.read(from, marker, signal) };
}

export function recover(recovery: Recovery, { end, found }: Tail): Recovered {
  const { map, id, record, marker, lives, resets } = recovery;
  const isNewLife = lives.isNew && record.generation > 1;
  if (found.isLost && !isNewLife) throw positionLost(id);
  if (end === undefined) return recoverWithoutMap(recovery, found);
  for (const range of found.foreign) resets.tellForeign(range);
  // Where a copy cannot be told the map has a gap: what it says of that are lower bounds.
  const gapEnd = found.isCut ? (found.runs[0]?.sourceOffset ?? 0) : 0;
  const scanned = Math.max(map.scannedEnd ?? end.source, Number(record.startOffset), gapEnd);
  // The map went on being told what the former holder stored: `scanned` may lie within a run.
  const unknown = runsBetween(found.runs, scanned, Infinity);
  const last = unknown.at(-1);
  const position = last === undefined ? scanned : last.sourceOffset + last.length;
  map.begin(nextTakeover(recovery), { source: position, target: marker + 1 });
  map.fill(unknown, scanned, position);
  return { position, unmapped: stillUnmapped(recovery) };
}

/** Copies vanished: what the map says of them, and what stands behind, counts no longer. */
export async function recoverCut(recovery: Recovery): Promise<Recovered> {
  const { map, marker, ends } = recovery;
  const { source } = await findCut({ ...recovery, ends: { ...ends, targetEnd: marker } });
  map.begin(nextTakeover(recovery), { source, target: marker + 1 });
  return { position: source, unmapped: stillUnmapped(recovery) };
}

/** History that an earlier holder did not come to read back. */
function stillUnmapped({ map, ends, record }: Recovery): Unmapped | undefined {
  const start = map.start;
  if (start === undefined || start.isFirst || start.target <= ends.targetStart) return undefined;
  const { startOffset, isContinued = false } = record;
  return {
    from: ends.targetStart,
    to: start.target,
    sourceFrom: Number(startOffset),
    sourceTo: start.source,
    isContinued,
  };
}

/** Numbers of takeovers rise with every fence, whoever made it: the marker's offset does too. */
function nextTakeover({ map, marker }: Recovery): number {
  return Math.max(marker, (map.takeover ?? 0) + 1);
}

function recoverWithoutMap(recovery: Recovery, found: TailFound): Recovered {
  const { marker, ends, record, map, id, lives } = recovery;
  const { isContinued = false } = record;
  const start = Number(record.startOffset);
  const log = `${id.remoteTopic}/${id.partition}`;
  const details = { topic: id.remoteTopic, partition: id.partition };
  const last = found.runs.at(-1);
  if (last !== undefined) {
    const position = Math.max(start, last.sourceOffset + last.length);
    map.begin(nextTakeover(recovery), { source: position, target: marker + 1 });
    const range = { from: ends.targetStart, to: marker, sourceFrom: start, sourceTo: position };
    return { position, unmapped: { ...range, isContinued } };
  }
  // Copies of an earlier generation are ours too: this one begins behind them.
  if (found.recordsEnd !== undefined && !found.hasOurs && !lives.isTargetKnown) {
    const text = `${log} holds records that no agent of this mesh wrote`;
    throw new MeshError('not_ours', text, { details });
  }
  if (ends.targetStart > 0 && !lives.isNew && !found.hasOurs) {
    const text = `${log} is empty and its offset map is lost: where copying stood is not known`;
    throw new MeshError('target_reset', text, { details });
  }
  map.begin(nextTakeover(recovery), { source: start, target: marker + 1 }, !isContinued);
  // Not behind our markers: who has read all of the earlier life stands right behind its records.
  map.setFirstTarget(found.recordsEnd ?? ends.targetStart);
  return { position: start, unmapped: undefined };
}
