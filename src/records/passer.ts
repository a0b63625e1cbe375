/**
 * The pass lane's way from what a fetch brought to what a produce sends: a batch goes on compressed
 * as it is, with a header of ours before the same records; nothing is added, nothing merged.
 *
 * A batch whose records cannot stand as they are is opened and written anew, still without the
 * provenance header: times given by the source's broker, places without a record, records before
 * the position, a delete horizon in place of the base time, an old format, more bytes than the
 * target takes.
 *
 * Invariants: as the stamper's. What is not opened is sent in the very bytes whose checksum was
 * proved, if they may stay where they are, with that checksum.
 */
import type { BufferPool } from '../base/buffer-pool.ts';
import type { Hold } from '../base/shared-memory.ts';
import { AbortedFilter } from './aborted-filter.ts';
import { attributeBits, batchAt, completeBatches, workPerBatch } from './batch-header.ts';
import { codecBits } from './codecs.ts';
import { checkOrder, readBatch, type SourceBatch } from './source-batch.ts';
import type {
  AbortedTransaction,
  SkippedCounts,
  StampedBatch,
  StampResult,
} from './stamped-batch.ts';
import { Stamper } from './stamper.ts';

export interface PasserOptions {
  readonly topic: string;
  readonly partition: number;
  /** Larger batches are opened and divided. */
  readonly batchBytesMax: number;
  readonly pool: BufferPool;
}

/** Plain bytes for each byte that an opened batch has in the end: a guess. */
const plainGuess = 4;
const rewrittenBits = attributeBits.logAppendTime | attributeBits.deleteHorizon;

/** What has been made and not yet given. */
class Piece {
  readonly batches: StampedBatch[] = [];
  readonly skipped: SkippedCounts = { control: 0, aborted: 0, looped: 0 };
  nextPosition: number;
  /** Of what had to be opened, and what the rest is worth. */
  plainBytes = 0;
  #isGiven = false;

  constructor(position: number) {
    this.nextPosition = position;
  }

  open(opener: Stamper, batch: SourceBatch): void {
    const { batches } = opener.stamp(batch.bytes, this.nextPosition, []);
    this.batches.push(...batches);
    for (const { bytes } of batches) this.plainBytes += bytes.length * plainGuess;
  }

  given(): StampResult {
    this.#isGiven = true;
    return this;
  }

  drop(): void {
    if (this.#isGiven) return;
    for (const batch of this.batches) batch.release();
  }
}

export class Passer {
  readonly #where: string;
  readonly #batchBytesMax: number;
  readonly #pool: BufferPool;
  readonly #opener: Stamper;

  constructor(options: PasserOptions) {
    this.#where = `${options.topic}/${options.partition}`;
    this.#batchBytesMax = options.batchBytesMax;
    this.#pool = options.pool;
    this.#opener = new Stamper({
      ...options,
      site: '',
      generation: 1,
      codec: 'source',
      isUnstamped: true,
    });
  }

  /**
   * As the stamper's: piece by piece, a piece ending after about so many bytes that had to be
   * opened, each batch counting for some more; what comes before a corrupt batch is given before
   * the error is thrown.
   * @param hold what is given stays in `records`, and is changed there; undefined: is copied
   * @throws MeshError batch_corrupt
   */
  *pieces(
    records: Buffer,
    position: number,
    aborted: readonly AbortedTransaction[],
    pieceBytes: number,
    hold?: Hold,
  ): Generator<StampResult, void> {
    const filter = new AbortedFilter(aborted);
    let piece = new Piece(position);
    try {
      for (const { from, to } of completeBatches(records)) {
        const bytes = records.subarray(from, to);
        const batch = readBatch(bytes, this.#where);
        checkOrder(batch, records, to, this.#where);
        const isAborted = filter.drops(batch);
        if (batch.lastOffset < piece.nextPosition) continue;
        if (batch.isControl) piece.skipped.control += batch.recordCount;
        else if (isAborted) piece.skipped.aborted += batch.recordCount;
        else if (this.#canStand(batch, bytes, piece.nextPosition)) {
          piece.batches.push(this.#pass(batch, hold));
        } else if (batch.recordCount > 0) piece.open(this.#opener, batch);
        piece.nextPosition = batch.lastOffset + 1;
        piece.plainBytes += workPerBatch;
        if (piece.plainBytes < pieceBytes) continue;
        yield piece.given();
        piece = new Piece(piece.nextPosition);
      }
      yield piece.given();
    } catch (error) {
      if (piece.batches.length > 0) yield piece.given();
      throw error;
    } finally {
      piece.drop();
    }
  }

  #canStand(batch: SourceBatch, bytes: Buffer, position: number): boolean {
    const isConverted = batch.bytes !== bytes;
    const attributes = batch.bytes.readInt16BE(batchAt.attributes);
    return (
      !isConverted &&
      (attributes & rewrittenBits) === 0 &&
      batch.baseOffset >= position &&
      batch.recordCount === batch.lastOffset - batch.baseOffset + 1 &&
      bytes.length <= this.#batchBytesMax
    );
  }

  #pass(batch: SourceBatch, hold: Hold | undefined): StampedBatch {
    const { baseOffset, recordCount } = batch;
    const { bytes, release } =
      hold === undefined ? this.#copy(batch.bytes) : { bytes: batch.bytes, release: hold() };
    // Neither is under the checksum.
    bytes.writeBigInt64BE(0n, batchAt.baseOffset);
    bytes.writeInt32BE(-1, batchAt.leaderEpoch);
    return {
      bytes,
      isInFetch: hold !== undefined,
      proved: { attributes: codecBits(batch.codec) },
      recordCount,
      runs: [{ sourceOffset: baseOffset, index: 0, length: recordCount }],
      nextSourceOffset: batch.lastOffset + 1,
      maxTimestamp: Number(batch.maxTimestamp),
      release,
    };
  }

  #copy(bytes: Buffer): { readonly bytes: Buffer; readonly release: () => void } {
    const pooled = this.#pool.take(bytes.length);
    bytes.copy(pooled.bytes);
    return { bytes: pooled.bytes.subarray(0, bytes.length), release: () => pooled.release() };
  }
}
