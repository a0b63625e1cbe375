/**
 * Translation through one map. Both directions are one search, on either column:
 *
 * ```
 *   source   ...[ run ]. . .[ run ]...........|  scanned so far
 *                  a     b            c          d
 *   a in a run: the record itself.   b between two: the next one, as nothing copied lies between.
 *   c behind the last: the end of that run, where the next copy will come after.
 *   d ahead of the copy, or where the map has a hole: the same, as a lower bound.
 * ```
 *
 * Invariants: never behind the first copied record at or after the offset, whatever of the map is
 * missing; exact only when no copied record lies between that record and the answer.
 */
import { across, endOn, type Block, type Side } from './block.ts';
import type { Held, MapView } from './map-view.ts';
import type { MapReason, MapTranslation } from './run.ts';

const nothingKnown: MapTranslation = { offset: undefined, certainty: 'unknown', reason: 'no_map' };

/**
 * Source to target.
 * @param isFirstLife nothing older than this map was ever copied to the target
 */
export function forward(view: MapView, at: number, isFirstLife: boolean): MapTranslation {
  if (view.pieces.length === 0) return nothingKnown;
  const { before, after } = view.around('source', at);
  const inside = before && throughBlock(before.block, 'source', at);
  if (inside !== undefined) return inside;
  const here = view.stretchAt(at);
  if (here < 0) return beforeMap(view, after, 'target');
  const isLast = here === view.stretchCount - 1;
  const isCovered = at <= view.stretchEnd(here);
  if (isCovered && after?.stretch === here) return exact(after.block.target, 'in_gap');
  if (before === undefined) {
    // Nothing is known to have been copied.
    if (here > 0 || !view.isFirst) return lower(0, 'before_map');
    const start = isFirstLife ? 0 : isLast ? view.targetFrom : undefined;
    if (start === undefined) return lower(0, 'before_map');
    if (isCovered) return exact(start, isLast ? 'at_end' : 'in_gap');
    return lower(start, isLast ? 'not_copied_yet' : 'not_covered');
  }
  const end = endOn(before.block, 'target');
  if (isCovered && before.stretch === here) return exact(end, isLast ? 'at_end' : 'in_gap');
  return lower(end, isLast && !isCovered ? 'not_copied_yet' : 'not_covered');
}

/** Target to source. */
export function inverse(view: MapView, at: number): MapTranslation {
  if (view.pieces.length === 0) return nothingKnown;
  const { before, after } = view.around('target', at);
  const inside = before && throughBlock(before.block, 'target', at);
  if (inside !== undefined) return inside;
  if (before === undefined && (!view.isFirst || after?.stretch === 0)) {
    return beforeMap(view, after, 'source');
  }
  const stretch = before?.stretch ?? 0;
  if (after?.stretch === stretch) return exact(after.block.source, 'in_gap');
  // Whatever is not known of comes from behind the end of this stretch.
  const end = view.stretchEnd(stretch);
  const isLast = stretch === view.stretchCount - 1;
  const blockEnd = before === undefined ? 0 : endOn(before.block, 'target');
  const known = Math.max(blockEnd, isLast ? (view.targetFrom ?? 0) : 0);
  if (at <= known) return exact(end, isLast ? 'at_end' : 'in_gap');
  return lower(end, isLast ? 'not_copied_yet' : 'not_covered');
}

/** Before all that is known: where nothing was copied before it, the first copy is next. */
function beforeMap(view: MapView, after: Held | undefined, other: Side): MapTranslation {
  if (view.isFirst && after?.stretch === 0) return exact(after.block[other], 'in_gap');
  return lower(0, 'before_map');
}

function throughBlock(block: Block, side: Side, at: number): MapTranslation | undefined {
  if (at >= endOn(block, side)) return undefined;
  const { offset, isExact } = across(block, side, at);
  return isExact ? exact(offset, 'in_run') : lower(offset, 'coarsened');
}

function exact(offset: number, reason: MapReason): MapTranslation {
  return { offset: BigInt(offset), certainty: 'exact', reason };
}

function lower(offset: number, reason: MapReason): MapTranslation {
  return { offset: BigInt(offset), certainty: 'lower_bound', reason };
}
