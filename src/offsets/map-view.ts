/**
 * What is known of a map, to be searched from either side: the pieces that count, and the stretches
 * of source offsets that they cover without a break. Within a stretch nothing is unknown; between
 * two of them there may be copies that nobody has told of.
 *
 * ```
 *   pieces     [==== == ==        )[ =  ====   )          [  ====== =    )[      )
 *   stretches  [ 0                             )          [ 1                    )
 * ```
 */
import type { Block, Side } from './block.ts';
import { endOf, firstBlock, lastBlock, lastIndex, within, type Piece } from './pieces.ts';

/** A block, and the number of the stretch that it lies in. */
export interface Held {
  readonly block: Block;
  readonly stretch: number;
}

/** A piece that holds blocks, and its first one. */
interface Filled extends Held {
  readonly piece: Piece;
  readonly index: number;
}

export class MapView {
  /** The last one may grow; no other changes while the view is used. */
  readonly #pieces: Piece[] = [];
  /** Of each stretch, the index of its first piece. */
  readonly #stretches: number[] = [];
  /** All but the last piece. */
  readonly #filled: Filled[] = [];

  constructor(pieces: readonly Piece[]) {
    this.replaceFrom(0, pieces);
  }

  get pieces(): readonly Piece[] {
    return this.#pieces;
  }

  /** Puts others in the place of the pieces from that index on. */
  replaceFrom(index: number, pieces: readonly Piece[]): void {
    this.#pieces.length = index;
    this.#pieces.push(...pieces);
    const begin = Math.max(0, index - 1);
    while ((this.#stretches.at(-1) ?? -1) >= index) this.#stretches.pop();
    while ((this.#filled.at(-1)?.index ?? -1) >= begin) this.#filled.pop();
    for (let at = begin; at < this.#pieces.length; at += 1) {
      const [before, piece] = [this.#pieces[at - 1], this.#pieces[at]];
      if (piece === undefined) break;
      const isBreak = before === undefined || piece.from > endOf(before);
      if (at >= index && isBreak) this.#stretches.push(at);
      const filled = at === this.#pieces.length - 1 ? undefined : this.#fill(piece, at);
      if (filled !== undefined) this.#filled.push(filled);
    }
  }

  get stretchCount(): number {
    return this.#stretches.length;
  }

  get lastPiece(): Piece | undefined {
    return this.#pieces.at(-1);
  }

  /** Nothing was copied before the first piece in this generation. */
  get isFirst(): boolean {
    const first = this.#pieces[0];
    return first !== undefined && first.segment.isFirst && first.from === first.segment.from;
  }

  /** Where copying began in this generation; 0: that is not known. */
  get copiedFrom(): number {
    return this.isFirst ? (this.#pieces[0]?.from ?? 0) : 0;
  }

  /** Nothing of this generation lies before that target offset. */
  get targetBegin(): number | undefined {
    const [piece] = this.#pieces;
    if (piece === undefined) return undefined;
    // What stands right before either is the marker of a takeover.
    return Math.min(piece.segment.began.target, this.first?.block.target ?? Infinity) - 1;
  }

  /** Copies of what is not known of yet lie at or behind this target offset; undefined: unknown. */
  get targetFrom(): number | undefined {
    const last = this.lastPiece;
    if (last === undefined) return undefined;
    const { began } = last.segment;
    return endOf(last) >= began.source ? began.target : undefined;
  }

  get first(): Held | undefined {
    return this.#filled[0] ?? this.#growing();
  }

  get last(): Held | undefined {
    return lastOf(this.#growing() ?? this.#filled.at(-1));
  }

  /** The last block that begins at or below the offset, and the one behind it. */
  around(side: Side, offset: number): { before: Held | undefined; after: Held | undefined } {
    const growing = this.#growing();
    const isLast = growing !== undefined && growing.block[side] <= offset;
    const index = isLast
      ? this.#filled.length
      : lastIndex(this.#filled, ({ block }) => block[side] <= offset);
    const filled = this.#filled[index] ?? (isLast ? growing : undefined);
    const after = this.#filled[index + 1] ?? (isLast ? undefined : growing);
    if (filled === undefined) return { before: undefined, after };
    const { piece, stretch } = filled;
    const place = piece.segment.blocks.seek(side, offset);
    const block = within(piece, place?.block);
    // What lies behind the end of the piece does not count.
    if (block === undefined) return { before: lastOf(filled), after };
    const next = within(piece, place?.next);
    return {
      before: { block, stretch },
      after: next === undefined ? after : { block: next, stretch },
    };
  }

  /** The stretch that begins at or below the source offset; -1: none. */
  stretchAt(source: number): number {
    return lastIndex(this.#stretches, (index) => (this.#pieces[index]?.from ?? 0) <= source);
  }

  stretchEnd(stretch: number): number {
    const next = this.#stretches[stretch + 1] ?? this.#pieces.length;
    const last = this.#pieces[next - 1];
    return last === undefined ? 0 : endOf(last);
  }

  /** The last piece, when it holds blocks: by now, as it grows. */
  #growing(): Filled | undefined {
    const { lastPiece } = this;
    return lastPiece && this.#fill(lastPiece, this.#pieces.length - 1);
  }

  #fill(piece: Piece, index: number): Filled | undefined {
    const block = firstBlock(piece);
    return block && { piece, index, block, stretch: this.#stretches.length - 1 };
  }
}

function lastOf(filled: Filled | undefined): Held | undefined {
  const block = filled && lastBlock(filled.piece);
  return block && { block, stretch: filled.stretch };
}
