/**
 * A block: a stretch of copied records of which the first and the last are known on both sides, and
 * how many there are. Without holes it is a run, and every answer in it is exact. Where memory had
 * to be saved, neighbouring runs are joined into one block with holes: an answer in it is a lower
 * bound, early by no more records than the block has holes.
 *
 * ```
 *   source   100 101  .  103  .   .  106        span 7, records 4, so 3 holes
 *   target    40  41      42           43        span 4, records 4, no hole
 * ```
 */
import type { Run } from './run.ts';

export interface Block {
  /** Offsets of the first record. */
  readonly source: number;
  readonly target: number;
  /** From the first record to the last, both included. */
  readonly sourceSpan: number;
  readonly targetSpan: number;
  readonly records: number;
}

export type Side = 'source' | 'target';

function spanOn(block: Block, side: Side): number {
  return side === 'source' ? block.sourceSpan : block.targetSpan;
}

/** The offset behind the last record. */
export function endOn(block: Block, side: Side): number {
  return block[side] + spanOn(block, side);
}

export function ofRun({ sourceOffset, targetOffset, length }: Run): Block {
  return {
    source: sourceOffset,
    target: targetOffset,
    sourceSpan: length,
    targetSpan: length,
    records: length,
  };
}

/** Offsets inside the block that belong to no copied record, on both sides together. */
export function holesOf({ sourceSpan, targetSpan, records }: Block): number {
  return sourceSpan + targetSpan - 2 * records;
}

/** One block in the place of two neighbours and of what lies between them. */
export function joined(first: Block, second: Block): Block {
  return {
    source: first.source,
    target: first.target,
    sourceSpan: endOn(second, 'source') - first.source,
    targetSpan: endOn(second, 'target') - first.target,
    records: first.records + second.records,
  };
}

/** Whether the second is more of the run that the first is. */
export function isContinued(first: Block, second: Block): boolean {
  return (
    endOn(first, 'source') === second.source &&
    endOn(first, 'target') === second.target &&
    holesOf(first) + holesOf(second) === 0
  );
}

/**
 * The same place on the other side, for an offset inside the block: never behind the first record
 * at or after it. Exact when no record lies between.
 *
 * Of the records at or after the offset there are no more than offsets left in the span, so that
 * all others lie before it; and each record takes one offset at least on the other side.
 */
export function across(
  block: Block,
  side: Side,
  offset: number,
): { readonly offset: number; readonly isExact: boolean } {
  const other = side === 'source' ? 'target' : 'source';
  const into = offset - block[side];
  const left = spanOn(block, side) - into;
  if (into === 0) return { offset: block[other], isExact: true };
  if (left === 1) return { offset: endOn(block, other) - 1, isExact: true };
  // The first one lies before the offset, the last one does not.
  const least = Math.max(1, block.records - left);
  const most = Math.min(into, block.records - 1);
  // With holes on the other side too, how far apart the records lie there is not known.
  const isDense = least === 1 || spanOn(block, other) === block.records;
  return { offset: block[other] + least, isExact: least === most && isDense };
}

/** What of the block lies at source offsets [from, to); one with holes goes whole or not at all. */
export function cut(block: Block, from: number, to: number): Block | undefined {
  const begin = Math.max(from, block.source);
  const length = Math.min(to, endOn(block, 'source')) - begin;
  if (length === block.sourceSpan) return block;
  if (length <= 0 || holesOf(block) > 0) return undefined;
  const targetOffset = block.target + begin - block.source;
  return ofRun({ sourceOffset: begin, targetOffset, length });
}
