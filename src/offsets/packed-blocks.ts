/**
 * Blocks in the order of their offsets, ascending on both sides, in two or three bytes each: as
 * distances from the end of the one before, just as they are stored. The last one is kept apart,
 * because it may still grow. Every 64th is marked, so that a search decodes no more than that.
 */
import { assert } from '../base/assert.ts';
import { holesOf, isContinued, joined, type Block, type Side } from './block.ts';
import { NumberReader, NumberWriter } from './numbers.ts';

const markEvery = 64;
/** Of each marked block: what it is told from, source and target, and the place of its bytes. */
const markNumbers = 3;
const hasHoles = 1;
const hasTargetGap = 2;

export interface Place {
  readonly block: Block;
  /** The block behind it. */
  readonly next: Block | undefined;
}

/** What a block is told from. */
interface Ends {
  readonly source: number;
  readonly target: number;
}

export class PackedBlocks {
  readonly #base: Ends;
  /** All blocks but the last. */
  readonly #packed: NumberWriter;
  #packedEnds: Ends;
  #marks = new Float64Array(0);
  #first: Block | undefined;
  #last: Block | undefined;
  #count = 0;
  #holesMax = 0;

  /** @param sourceFrom offset that the first block is told from */
  constructor(sourceFrom: number, bytesGuess = 0) {
    this.#base = { source: sourceFrom, target: 0 };
    this.#packedEnds = this.#base;
    this.#packed = new NumberWriter(bytesGuess);
  }

  get count(): number {
    return this.#count;
  }

  /** The most holes that a block of them has; 0: all are runs. */
  get holesMax(): number {
    return this.#holesMax;
  }

  get first(): Block | undefined {
    return this.#first ?? this.#last;
  }

  get last(): Block | undefined {
    return this.#last;
  }

  /** Bytes of memory, beside what any object costs. */
  get bytes(): number {
    return this.#packed.capacity + this.#marks.byteLength;
  }

  /** Appends, or lets the last one grow where the block goes on without a break. */
  push(block: Block): void {
    const last = this.#last;
    if (last !== undefined && isContinued(last, block)) {
      this.#last = joined(last, block);
      return;
    }
    const { source, target } = last === undefined ? this.#base : endsOf(last);
    const ascends = block.source >= source && block.target >= target;
    assert(ascends && block.records > 0, 'blocks ascend on both sides');
    if (last !== undefined) {
      this.#first ??= last;
      writeBlock(this.#packed, last, this.#packedEnds);
      this.#packedEnds = endsOf(last);
      if (this.#count % markEvery === 0) this.#mark();
    }
    this.#last = block;
    this.#count += 1;
    this.#holesMax = Math.max(this.#holesMax, holesOf(block));
  }

  /** The last block that begins at or below the offset. */
  seek(side: Side, offset: number): Place | undefined {
    const last = this.#last;
    if (last === undefined) return undefined;
    if (offset >= last[side]) return { block: last, next: undefined };
    for (let mark = this.#markBelow(side, offset); mark >= 0; mark -= 1) {
      const blocks = this.#from(mark);
      let block: Block | undefined;
      let next = blocks.next() ?? last;
      while (next[side] <= offset) {
        block = next;
        next = blocks.next() ?? last;
      }
      // In the gap before the marked block: the one in question stands before the mark.
      if (block !== undefined) return { block, next };
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<Block, undefined> {
    const blocks = this.#from(0);
    for (let block = blocks.next(); block !== undefined; block = blocks.next()) yield block;
    if (this.#last !== undefined) yield this.#last;
  }

  /** The same with fewer blocks: neighbours joined as long as one has no more holes than that. */
  coarsened(holesMax: number): PackedBlocks {
    const coarse = new PackedBlocks(this.#base.source);
    let open: Block | undefined;
    for (const block of this) {
      const wider: Block = open === undefined ? block : joined(open, block);
      if (open !== undefined && holesOf(wider) > holesMax) {
        coarse.push(open);
        open = block;
      } else open = wider;
    }
    if (open !== undefined) coarse.push(open);
    coarse.trim();
    return coarse;
  }

  /** Gives back the memory that room to grow has taken. */
  trim(): void {
    this.#packed.trim();
    const used = this.#markCount * markNumbers;
    if (this.#marks.length > used) this.#marks = this.#marks.slice(0, used);
  }

  write(writer: NumberWriter): void {
    writer.number(this.#count);
    writer.append(this.#packed.bytes);
    if (this.#last !== undefined) writeBlock(writer, this.#last, this.#packedEnds);
  }

  /** @throws what the reader throws, and Error for blocks that cannot be */
  static read(reader: NumberReader, sourceFrom: number, bytes: number): PackedBlocks {
    const blocks = new PackedBlocks(sourceFrom, bytes);
    let ends = blocks.#base;
    for (let count = reader.number(); count > 0; count -= 1) {
      const block = readBlock(reader, ends);
      if (block.records < 1) throw new Error('a run without records');
      blocks.push(block);
      ends = endsOf(block);
    }
    blocks.trim();
    return blocks;
  }

  get #markCount(): number {
    return this.#count === 0 ? 0 : Math.floor((this.#count - 1) / markEvery);
  }

  #mark(): void {
    const at = (this.#count / markEvery - 1) * markNumbers;
    if (at + markNumbers > this.#marks.length) {
      const marks = new Float64Array(this.#marks.length * 2 + markNumbers);
      marks.set(this.#marks);
      this.#marks = marks;
    }
    const { source, target } = this.#packedEnds;
    this.#marks.set([source, target, this.#packed.length], at);
  }

  /** Marks count from 1; 0 is the beginning. */
  #markBelow(side: Side, offset: number): number {
    const number = side === 'source' ? 0 : 1;
    let low = 0;
    let high = this.#markCount;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#marks[(middle - 1) * markNumbers + number] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** All but the last block, from a marked one on. */
  #from(mark: number): BlockReader {
    const left = this.#count - 1 - mark * markEvery;
    if (mark === 0) return new BlockReader(this.#packed.bytes, 0, left, this.#base);
    const marked = (mark - 1) * markNumbers;
    const ends = { source: this.#marks[marked] ?? 0, target: this.#marks[marked + 1] ?? 0 };
    return new BlockReader(this.#packed.bytes, this.#marks[marked + 2] ?? 0, left, ends);
  }
}

class BlockReader {
  readonly #reader: NumberReader;
  #left: number;
  #ends: Ends;

  constructor(bytes: Buffer, at: number, left: number, ends: Ends) {
    this.#reader = new NumberReader(bytes, undefined, at);
    this.#left = left;
    this.#ends = ends;
  }

  next(): Block | undefined {
    if (this.#left <= 0) return undefined;
    this.#left -= 1;
    const block = readBlock(this.#reader, this.#ends);
    this.#ends = endsOf(block);
    return block;
  }
}

function endsOf(block: Block): Ends {
  return {
    source: block.source + block.sourceSpan,
    target: block.target + block.targetSpan,
  };
}

function writeBlock(writer: NumberWriter, block: Block, ends: Ends): void {
  const { source, target, sourceSpan, targetSpan, records } = block;
  const isRun = holesOf(block) === 0;
  const gap = target - ends.target;
  writer.number(source - ends.source);
  writer.number(records * 4 + (gap > 0 ? hasTargetGap : 0) + (isRun ? 0 : hasHoles));
  if (gap > 0) writer.number(gap);
  if (isRun) return;
  writer.number(sourceSpan - records);
  writer.number(targetSpan - records);
}

function readBlock(reader: NumberReader, ends: Ends): Block {
  const source = ends.source + reader.number();
  const head = reader.number();
  const records = Math.floor(head / 4);
  const target = ends.target + ((head & hasTargetGap) === 0 ? 0 : reader.number());
  if ((head & hasHoles) === 0) {
    return { source, target, sourceSpan: records, targetSpan: records, records };
  }
  const sourceSpan = records + reader.number();
  const targetSpan = records + reader.number();
  return { source, target, sourceSpan, targetSpan, records };
}
