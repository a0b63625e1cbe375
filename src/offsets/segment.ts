/**
 * A piece of an offset map as it is stored: the blocks of a stretch of source offsets, told by the
 * holder of a takeover: what it copied itself, read back from the target's stamps, or took over
 * from those before it.
 *
 * Invariant: every source offset in [from, to) is in a block or will never be copied, unless a
 * later takeover began before it.
 */
import { holesOf, isContinued, ofRun } from './block.ts';
import { PackedBlocks } from './packed-blocks.ts';
import type { Run } from './run.ts';

/** Where a takeover began to copy at the source, and to write at the target. */
export interface Began {
  readonly source: number;
  /** All that was copied before lies below it. */
  readonly target: number;
}

export interface SegmentRange {
  /** Number of the takeover whose holder tells it: with `from` its key, which nobody else has. */
  readonly takeover: number;
  readonly began: Began;
  readonly from: number;
  readonly to: number;
  /** Nothing was copied before `from` in this generation. */
  readonly isFirst: boolean;
}

/** What the objects of a segment cost in memory, beside its blocks. */
const overheadBytes = 600;

export class Segment {
  readonly takeover: number;
  readonly began: Began;
  readonly from: number;
  readonly isFirst: boolean;
  readonly blocks: PackedBlocks;
  /** Something may be stored under its key. */
  isStored = false;
  #to: number;

  constructor(range: SegmentRange, blocks = new PackedBlocks(range.from)) {
    this.takeover = range.takeover;
    this.began = range.began;
    this.from = range.from;
    this.isFirst = range.isFirst;
    this.#to = range.to;
    this.blocks = blocks;
  }

  get to(): number {
    return this.#to;
  }

  /** Names it within its map. */
  get key(): string {
    return `${this.takeover}/${this.from}`;
  }

  /** Bytes of memory that coarsening could save: none when it is a single block. */
  get bytes(): number {
    return this.blocks.count > 1 ? this.blocks.bytes + overheadBytes : 0;
  }

  append(run: Run): void {
    this.blocks.push(ofRun(run));
    this.scannedTo(run.sourceOffset + run.length);
  }

  scannedTo(sourceOffset: number): void {
    if (sourceOffset > this.#to) this.#to = sourceOffset;
  }

  /** Whether the run only lets the last block grow. */
  isContinuedBy(run: Run): boolean {
    const { last } = this.blocks;
    return last !== undefined && isContinued(last, ofRun(run));
  }

  /** The same in half the bytes: with as many holes in a block as that takes. */
  coarsened(): Segment {
    const { blocks } = this;
    let holesMax = Math.max(1, blocks.holesMax);
    let coarse = blocks.coarsened(holesMax);
    while (coarse.count > 1 && coarse.bytes > blocks.bytes / 2) {
      holesMax *= 2;
      coarse = blocks.coarsened(holesMax);
    }
    const segment = new Segment(this, coarse);
    segment.isStored = this.isStored;
    return segment;
  }

  /** Where a block with holes begins that the offset lies inside of; else the offset. */
  beforeHoles(offset: number): number {
    const block = this.blocks.seek('source', offset - 1)?.block;
    if (block === undefined || holesOf(block) === 0) return offset;
    return block.source + block.sourceSpan > offset ? block.source : offset;
  }

  /** Where a block with holes ends that the offset lies inside of; else the offset. */
  behindHoles(offset: number): number {
    const block = this.blocks.seek('source', offset - 1)?.block;
    return block === undefined || holesOf(block) === 0
      ? offset
      : Math.max(offset, block.source + block.sourceSpan);
  }
}
