/**
 * What of the segments of a map counts: pieces, ascending and disjoint.
 *
 * ```
 *   takeover 7   [==========|~~~~~~~)      8 began at |: what 7 says from there on is void
 *   takeover 8        [= =)  [==========)  read back before |, copied behind it
 *   pieces       [ 7 )[ 8 )[7)[ 8       )
 * ```
 *
 * Invariants: from where a takeover began to copy, nothing counts that was told under an older one;
 * of two segments that speak of the same offsets the one with the higher number counts. So the
 * order in which segments are loaded makes no difference.
 */
import { cut, type Block } from './block.ts';
import type { Segment } from './segment.ts';

/** A segment as far as it counts. */
export interface Piece {
  readonly segment: Segment;
  readonly from: number;
  /** Nothing at or behind it counts; Infinity: all that the segment has, and may yet get. */
  readonly limit: number;
  /** Another piece of its segment counts too. */
  readonly isSplit: boolean;
}

export function endOf({ segment, limit }: Piece): number {
  return Math.min(limit, segment.to);
}

/** The block as far as it lies in the piece. */
export function within(piece: Piece, block: Block | undefined): Block | undefined {
  return block && cut(block, piece.from, endOf(piece));
}

export function firstBlock(piece: Piece): Block | undefined {
  const { blocks } = piece.segment;
  const { first } = blocks;
  if (first === undefined || first.source >= piece.from) return within(piece, first);
  const place = blocks.seek('source', piece.from);
  return within(piece, place?.block) ?? within(piece, place?.next);
}

export function lastBlock(piece: Piece): Block | undefined {
  const { blocks } = piece.segment;
  if (piece.limit >= piece.segment.to) return within(piece, blocks.last);
  return within(piece, blocks.seek('source', endOf(piece) - 1)?.block);
}

/** Source offset from which on all is void that was told under lower takeovers, by takeover. */
export type Voids = ReadonlyMap<number, number>;

export function effective(segments: Iterable<Segment>, voids: Voids): Piece[] {
  const byTakeover = new Map<number, Segment[]>();
  for (const segment of segments) {
    const group = byTakeover.get(segment.takeover);
    if (group === undefined) byTakeover.set(segment.takeover, [segment]);
    else group.push(segment);
  }
  let bound = Infinity;
  let pieces: Piece[] = [];
  for (const takeover of [...byTakeover.keys()].sort((a, b) => b - a)) {
    const group = byTakeover.get(takeover) ?? [];
    for (const [later, source] of voids) if (later > takeover) bound = Math.min(bound, source);
    pieces = together(
      ownPieces(group, bound).flatMap((piece) => uncovered(pieces, piece)),
      pieces,
    );
    for (const { began } of group) bound = Math.min(bound, began.source);
  }
  return pieces;
}

/** Of one holder's segments those that reach furthest, each from where the one before ends. */
function ownPieces(group: Segment[], bound: number): Piece[] {
  group.sort((a, b) => a.from - b.from || b.to - a.to);
  const pieces: Piece[] = [];
  let reached = 0;
  for (const segment of group) {
    const from = Math.max(segment.from, reached);
    // One that is empty counts where it may still grow.
    const isSaid = from < segment.to || (from === segment.to && from === segment.from);
    if (!isSaid || from >= bound) continue;
    pieces.push({ segment, from, limit: bound, isSplit: false });
    reached = Math.min(segment.to, bound);
  }
  return pieces.flatMap(withoutCutHoles);
}

/** What of a piece lies where none of the others does. */
function uncovered(others: readonly Piece[], piece: Piece): Piece[] {
  const last = others.at(-1);
  if (last === undefined || piece.from >= endOf(last)) return [piece];
  const first = others[0];
  if (first !== undefined && endOf(piece) <= first.from) return [piece];
  const found = gaps(others, piece.from, endOf(piece));
  const isSplit = found.length > 1;
  return found.flatMap(({ from, to }) => {
    const limit = to === endOf(piece) ? piece.limit : to;
    return withoutCutHoles({ ...piece, from, limit, isSplit });
  });
}

/** Blocks with holes cannot be cut: a piece ends before one, or begins behind it. */
function withoutCutHoles(piece: Piece): Piece[] {
  const { segment } = piece;
  const from = piece.from > segment.from ? segment.behindHoles(piece.from) : piece.from;
  const limit = piece.limit < segment.to ? segment.beforeHoles(piece.limit) : piece.limit;
  if (from === piece.from && limit === piece.limit) return [piece];
  return from < limit && from <= segment.to ? [{ ...piece, from, limit }] : [];
}

function together(lower: Piece[], upper: Piece[]): Piece[] {
  const [last, first] = [lower.at(-1), upper[0]];
  const both = [...lower, ...upper];
  if (last === undefined || first === undefined || endOf(last) <= first.from) return both;
  return both.sort((a, b) => a.from - b.from || endOf(a) - endOf(b));
}

/** Stretches of [from, to) that no piece covers. */
export function gaps(
  pieces: readonly Piece[],
  from: number,
  to: number,
): { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  let at = from;
  const begin = lastIndex(pieces, (piece) => piece.from <= from);
  for (let index = Math.max(0, begin); index < pieces.length && at < to; index += 1) {
    const piece = pieces[index];
    if (piece === undefined || piece.from >= to) break;
    if (endOf(piece) <= at) continue;
    if (piece.from > at) found.push({ from: at, to: piece.from });
    at = Math.max(at, endOf(piece));
  }
  if (at < to) found.push({ from: at, to });
  return found;
}

/** Of things for which `holds` is true up to some place and false behind it, the last true one. */
export function lastIndex<T>(things: readonly T[], holds: (thing: T) => boolean): number {
  let low = 0;
  let high = things.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const thing = things[middle];
    if (thing !== undefined && holds(thing)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
