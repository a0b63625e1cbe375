/**
 * Packs the text of a batch being built from matches that are known, without searching for any.
 * Each is proved against the text before it is used, so that a wrong one costs size, never bytes.
 *
 * Blocks end with a record, so that the rules of a format for the end of a block meet a stamp, and
 * never more than one match.
 */
import { assert } from '../base/assert.ts';
import type { BufferPool, PooledBuffer } from '../base/buffer-pool.ts';
import { equalBytes } from './repeat-bytes.ts';

/** Bytes written one after the other, with the view that covers them. */
export interface Area {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** How one codec writes blocks and what is around them. Every `write` returns the place behind. */
export interface BlockFormat {
  /** Bytes before the first block, and before what a block holds. */
  readonly headerBytes: number;
  readonly blockHeadBytes: number;
  /** A record that is larger does not fit in a block. */
  readonly recordBytesMax: number;
  /** The last match of a block begins so many bytes before its end, or earlier. */
  readonly matchBeforeEnd: number;
  /** So many bytes at a block's end are never part of a match. */
  readonly literalsAtEnd: number;
  /** Literals from `from` to `matchAt`, then the match. */
  writeMatch(
    out: Area,
    at: number,
    text: Area,
    from: number,
    matchAt: number,
    length: number,
    distance: number,
  ): number;
  writeLiterals(out: Area, at: number, text: Area, from: number, to: number): number;
  /** What stands in [headAt + blockHeadBytes, at) is the block of text [from, to). */
  writeHead(out: Area, headAt: number, at: number, text: Area, from: number, to: number): number;
  /** All blocks are written. */
  writeFrame(out: Area, at: number, blockBytesMax: number): number;
}

export const distanceMax = 65_535;
export const lengthMin = 4;
/** Blocks are about so large; only a larger record makes a larger one. */
const blockBytes = 256 * 1024;
/** More than a block's head, its end, and what a frame has at its end. */
const blockOverhead = 64;

export class MatchPacker {
  readonly #format: BlockFormat;
  readonly #text: Area;
  readonly #pooled: PooledBuffer;
  readonly #out: Area;
  #outAt: number;
  /** Where the present block begins, in the text and in what is written. */
  #blockFrom: number;
  #headAt: number;
  #largestBlock = 0;
  /** The text is written up to here, without the match that waits. */
  #writtenTo: number;
  /** The last match waits: the end of the block may shorten it. */
  #matchAt = 0;
  #matchLength = 0;
  #matchDistance = 0;
  #stampAt = -1;

  /** @param limit the text will lie in [from, limit) of the area */
  constructor(format: BlockFormat, pool: BufferPool, text: Area, from: number, limit: number) {
    this.#format = format;
    this.#text = text;
    this.#blockFrom = from;
    this.#writtenTo = from;
    const bytes = limit - from;
    // No two blocks behind one another are smaller than one; literals grow by less than 1/128.
    const blocks = 2 + Math.ceil((2 * bytes) / blockBytes);
    this.#pooled = pool.take(bytes + (bytes >> 7) + blocks * blockOverhead);
    this.#out = areaOf(this.#pooled.bytes);
    this.#headAt = format.headerBytes;
    this.#outAt = format.headerBytes + format.blockHeadBytes;
  }

  /** The next record, behind the last one. */
  record(startAt: number, end: number): void {
    assert(end - startAt <= this.#format.recordBytesMax, 'a record that fits in a block');
    if (end - this.#blockFrom > blockBytes && startAt > this.#blockFrom) this.#endBlock(startAt);
  }

  /** So many bytes at `at` repeat those `distance` before; in order, none overlapping. */
  match(at: number, length: number, distance: number): void {
    if (distance > distanceMax || at - distance < this.#blockFrom) return;
    const found = equalBytes(this.#text.bytes, this.#text.view, at, length, distance);
    if (found >= lengthMin) this.#take(at, found, distance);
  }

  /** The stamp of the record, [at, end): it repeats the one before but for some digits. */
  stamp(stampAt: number, end: number): void {
    const distance = stampAt - this.#stampAt;
    const isNear = this.#stampAt >= this.#blockFrom && distance <= distanceMax;
    this.#stampAt = stampAt;
    if (!isNear) return;
    const { bytes, view } = this.#text;
    const from = Math.max(this.#writtenTo, this.#matchAt + this.#matchLength);
    const first = Math.max(from, this.#blockFrom + distance);
    let at = stampAt;
    while (at > first && bytes[at - 1] === bytes[at - 1 - distance]) at -= 1;
    const length = stampAt - at + equalBytes(bytes, view, stampAt, end - stampAt, distance);
    if (length >= lengthMin) this.#take(at, length, distance);
  }

  /** Packs what is left, up to `end`. The result is valid until the packer is dropped. */
  close(end: number): Buffer {
    this.#endBlock(end);
    const to = this.#format.writeFrame(this.#out, this.#headAt, this.#largestBlock);
    return this.#out.bytes.subarray(0, to);
  }

  /** Gives its memory back. */
  drop(): void {
    this.#pooled.release();
  }

  #take(at: number, length: number, distance: number): void {
    if (this.#matchLength > 0) this.#writeMatch(this.#matchLength);
    this.#matchAt = at;
    this.#matchLength = length;
    this.#matchDistance = distance;
  }

  #writeMatch(length: number): void {
    const at = this.#matchAt;
    this.#outAt = this.#format.writeMatch(
      this.#out,
      this.#outAt,
      this.#text,
      this.#writtenTo,
      at,
      length,
      this.#matchDistance,
    );
    this.#writtenTo = at + length;
    this.#matchLength = 0;
  }

  #endBlock(end: number): void {
    const { literalsAtEnd, matchBeforeEnd } = this.#format;
    const length = Math.min(this.#matchLength, end - literalsAtEnd - this.#matchAt);
    const isEarly = this.#matchAt <= end - matchBeforeEnd;
    if (isEarly && length >= lengthMin) this.#writeMatch(length);
    const [text, out, from] = [this.#text, this.#out, this.#blockFrom];
    const at = this.#format.writeLiterals(out, this.#outAt, text, this.#writtenTo, end);
    this.#headAt = this.#format.writeHead(out, this.#headAt, at, text, from, end);
    this.#outAt = this.#headAt + this.#format.blockHeadBytes;
    this.#largestBlock = Math.max(this.#largestBlock, end - from);
    this.#matchLength = 0;
    this.#writtenTo = end;
    this.#blockFrom = end;
  }
}

export function areaOf(bytes: Buffer): Area {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) };
}
