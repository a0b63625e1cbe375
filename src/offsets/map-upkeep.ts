/**
 * How the segments of a map are kept few and small: merged, coarsened, dropped. Each of these may
 * be done at any time, by itself.
 *
 * Invariant: nothing that is done here lets an answer point further than before; only what is
 * coarsened, or gone from both logs, is no longer exact.
 */
import { endOn } from './block.ts';
import type { MapSegments } from './map-segments.ts';
import { endOf, lastBlock, within, type Piece } from './pieces.ts';
import type { LogStarts } from './run.ts';
import { Segment } from './segment.ts';

/** Segments that one call drops of what the logs no longer hold, at most. */
const goneMax = 1000;

/**
 * Neighbours become one segment of the holder's, as long as it has no more blocks than that, so
 * that ten thousand takeovers do not leave ten thousand segments. The holder knows all that was
 * copied before it began: what it takes over counts as its own.
 * @param newest look only at so many pieces, as no others have changed
 */
export function mergeNeighbours(segments: MapSegments, blocksMax: number, newest = Infinity): void {
  const { held, view } = segments;
  if (held === undefined) return;
  const untouched = Math.max(0, view.pieces.length - newest);
  const pieces: Piece[] = [];
  const parts: Segment[] = [];
  const merged: Segment[] = [];
  for (const group of groupsOf(view.pieces.slice(untouched), held, blocksMax)) {
    const [first, ...more] = group;
    if (first === undefined || more.length === 0) pieces.push(...group);
    else {
      const segment = mergeGroup(first, group, held);
      parts.push(...group.map((piece) => piece.segment));
      merged.push(segment);
      pieces.push({ segment, from: segment.from, limit: Infinity, isSplit: false });
    }
  }
  if (merged.length > 0) segments.exchange(parts, merged, untouched, pieces);
}

function* groupsOf(
  pieces: readonly Piece[],
  held: Segment,
  blocksMax: number,
): Generator<readonly Piece[]> {
  let group: Piece[] = [];
  let blocks = 0;
  let end = -1;
  for (const piece of pieces) {
    const isMergeable = piece.segment !== held && !piece.isSplit;
    blocks += piece.segment.blocks.count;
    if (!isMergeable || piece.from > end || blocks > blocksMax) {
      if (group.length > 0) yield group;
      group = [];
      blocks = piece.segment.blocks.count;
    }
    group.push(piece);
    end = isMergeable ? endOf(piece) : -1;
  }
  if (group.length > 0) yield group;
}

function mergeGroup(first: Piece, group: readonly Piece[], { takeover, began }: Segment): Segment {
  const { from } = first;
  const to = group.reduce((reached, piece) => Math.max(reached, endOf(piece)), from);
  const isFirst = first.segment.isFirst && from === first.segment.from;
  const merged = new Segment({ takeover, began, from, to, isFirst });
  for (const piece of group) {
    for (const whole of piece.segment.blocks) {
      const block = within(piece, whole);
      if (block !== undefined) merged.blocks.push(block);
    }
  }
  merged.blocks.trim();
  return merged;
}

/**
 * Drops what does not count, and what speaks only of records that neither log holds any more. The
 * last copy is always kept: copying goes on behind it.
 */
export function dropSpare(segments: MapSegments, starts: LogStarts): void {
  const { pieces, last } = segments.view;
  const end = last === undefined ? -1 : endOn(last.block, 'source');
  const kept = pieces
    .slice(0, goneMax)
    .findIndex((piece) => endOf(piece) >= end || !isGone(piece, starts));
  const counting = new Set(pieces.slice(kept < 0 ? goneMax : kept).map(({ segment }) => segment));
  for (const segment of [...segments]) {
    if (segment !== segments.growing && !counting.has(segment)) segments.drop(segment);
  }
  segments.isLoose = pieces.length > goneMax && kept < 0;
}

/** Neither log holds a record that the piece speaks of. */
function isGone(piece: Piece, { source, target }: LogStarts): boolean {
  const last = lastBlock(piece);
  return endOf(piece) <= source && (last === undefined || endOn(last, 'target') <= target);
}

/**
 * Coarsens until the map has no more than so many bytes: what is older than the newest half of
 * them, evenly, the finest first; the newest ones only when that is not enough.
 */
export function coarsen(segments: MapSegments, bytesMax: number): void {
  for (const bytesExact of [bytesMax / 2, 0]) {
    while (segments.bytes > bytesMax) {
      const finest = old(segments, bytesExact)
        .filter(({ blocks }) => blocks.count > 1)
        .sort((a, b) => a.blocks.holesMax - b.blocks.holesMax);
      if (finest.length === 0) break;
      for (const segment of finest) {
        if (segments.bytes <= bytesMax) return;
        segments.replace(segment, segment.coarsened());
      }
    }
  }
}

/** Oldest first: all segments but the newest ones, which have that many bytes together. */
function old(segments: MapSegments, bytesExact: number): Segment[] {
  const { pieces } = segments.view;
  let newer = 0;
  let end = pieces.length;
  while (end > 0 && newer <= bytesExact) {
    end -= 1;
    newer += pieces[end]?.segment.bytes ?? 0;
  }
  const found = pieces.slice(0, newer <= bytesExact ? 0 : end + 1).map(({ segment }) => segment);
  return [...new Set(found)].filter((segment) => segment !== segments.growing);
}
