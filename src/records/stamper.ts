/**
 * From what a fetch brought to what a produce sends: drops what must not be copied, appends the
 * provenance header to every record, renumbers, merges small batches. One pass, no object per
 * record.
 *
 * Invariants: key, value, headers and time of a record are copied byte for byte; every source
 * offset below a batch's `nextSourceOffset` is in it, in an earlier one, or never to be copied; a
 * batch that fails its checksum stops here.
 */
import type { BufferPool } from '../base/buffer-pool.ts';
import type { CompressionChoice } from '../topology/model.ts';
import { AbortedFilter } from './aborted-filter.ts';
import { batchAt, completeBatches, estimate, workPerBatch } from './batch-header.ts';
import { BatchBuilder, plainBytesMax } from './batch-builder.ts';
import { CarryChoice } from './carry-choice.ts';
import { planOf, safeDelta, type BatchPlan } from './batch-plan.ts';
import { carryMatches } from './carry-matches.ts';
import { corrupt } from './corrupt.ts';
import { copyBytes } from './copy-bytes.ts';
import { isLooped, type LoopGuard } from './loop-guard.ts';
import { MatchedText } from './matched-text.ts';
import { OriginTemplate } from './origin-template.ts';
import { RecordReader } from './record-reader.ts';
import { checkOrder, readBatch, recordsOf, type SourceBatch } from './source-batch.ts';
import type {
  AbortedTransaction,
  SkippedCounts,
  StampedBatch,
  StampResult,
} from './stamped-batch.ts';
import { intLength, longLength, writeInt, writeLong } from './varint.ts';

export interface StamperOptions {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  /** No batch is made larger, unless a single record is. */
  readonly batchBytesMax: number;
  readonly codec: CompressionChoice;
  readonly pool: BufferPool;
  readonly loop?: LoopGuard;
  /** In the pass lane: records as they are, without the header. */
  readonly isUnstamped?: boolean;
}

/** Length, time and place of a record are varints: at most so many bytes. */
const variableBytesMax = 20;
/** A guess; too low only means that less is merged. */
const expansionGuess = 4;
/** Compressing a byte takes so many times as long as with what is slowest of the others. */
const gzipWork = 3;

/** Of the batch being stamped, whosever it is: none is read while another one is in work. */
const matched = new MatchedText();

const noHeader = {
  bytes: Buffer.alloc(0),
  view: new DataView(new ArrayBuffer(0)),
  goTo: () => undefined,
};

/** How far the walk through a fetch has come. */
interface Walk {
  /** Where in the fetch the batch begins that is being read. */
  batchAt: number;
  /** Records below this source offset have been given, or are never copied. */
  givenUpTo: number;
}

export class Stamper {
  readonly #options: StamperOptions;
  readonly #where: string;
  readonly #template: Pick<OriginTemplate, 'bytes' | 'view' | 'goTo'>;
  readonly #choice = new CarryChoice();
  #builder: BatchBuilder | undefined;
  /** Full, and not packed yet: one source batch may fill several. */
  #full: BatchBuilder[] = [];
  #made: StampedBatch[] = [];
  #bytesAhead = 0;

  constructor(options: StamperOptions) {
    this.#options = options;
    this.#where = `${options.topic}/${options.partition}`;
    this.#template = options.isUnstamped === true ? noHeader : new OriginTemplate(options);
  }

  /**
   * Everything at once. @throws MeshError batch_corrupt; nothing of the fetch is kept then
   * @param records raw batches of one fetch; the last may be cut off
   * @param position records below it are not wanted
   * @param aborted all aborted transactions that overlap the fetched range
   */
  stamp(records: Buffer, position: number, aborted: readonly AbortedTransaction[]): StampResult {
    const batches: StampedBatch[] = [];
    const skipped = { control: 0, aborted: 0, looped: 0 };
    let nextPosition = position;
    try {
      for (const piece of this.pieces(records, position, aborted, Infinity)) {
        batches.push(...piece.batches);
        skipped.control += piece.skipped.control;
        skipped.aborted += piece.skipped.aborted;
        skipped.looped += piece.skipped.looped;
        nextPosition = piece.nextPosition;
      }
    } catch (error) {
      for (const batch of batches) batch.release();
      throw error;
    }
    return { batches, nextPosition, skipped };
  }

  /**
   * The same, piece by piece, so that no fetch, however well it was compressed, holds up everything
   * else: a piece ends after about so many bytes of plain records, each batch counting for some
   * more, copied or not. What comes before a corrupt batch is given before the error is thrown.
   * Read to its end, or left by `return()`, before the next.
   */
  *pieces(
    records: Buffer,
    position: number,
    aborted: readonly AbortedTransaction[],
    pieceBytes: number,
  ): Generator<StampResult, void> {
    const walk: Walk = { batchAt: 0, givenUpTo: position };
    try {
      yield* this.#walk(walk, records, aborted, pieceBytes);
    } catch (error) {
      // Part of the corrupt batch may stand in what was being built: that is made anew without it.
      this.#dropAll();
      yield* this.#walk(walk, records.subarray(0, walk.batchAt), aborted, Infinity);
      throw error;
    } finally {
      this.#dropAll();
    }
  }

  *#walk(
    walk: Walk,
    records: Buffer,
    aborted: readonly AbortedTransaction[],
    pieceBytes: number,
  ): Generator<StampResult, void> {
    const filter = new AbortedFilter(aborted);
    let nextPosition = walk.givenUpTo;
    let skipped = { control: 0, aborted: 0, looped: 0 };
    let bytes = 0;
    const piece = (): StampResult => {
      const batches = this.#made;
      this.#made = [];
      const kept = this.#full[0] ?? this.#builder;
      walk.givenUpTo = kept?.runs[0]?.sourceOffset ?? nextPosition;
      const result = { batches, nextPosition: walk.givenUpTo, skipped };
      skipped = { control: 0, aborted: 0, looped: 0 };
      bytes = 0;
      return result;
    };
    this.#template.goTo(nextPosition);
    this.#bytesAhead = estimate(records, this.#template.bytes.length + variableBytesMax);
    for (const { from, to } of completeBatches(records)) {
      walk.batchAt = from;
      const batch = readBatch(records.subarray(from, to), this.#where);
      checkOrder(batch, records, to, this.#where);
      const isAborted = filter.drops(batch);
      bytes += workPerBatch;
      if (batch.lastOffset < nextPosition) continue;
      if (batch.isControl) skipped.control += batch.recordCount;
      else if (isAborted) skipped.aborted += batch.recordCount;
      else if (batch.recordCount > 0) bytes += this.#append(batch, nextPosition, skipped);
      nextPosition = batch.lastOffset + 1;
      this.#bytesAhead -= Math.min(this.#bytesAhead, to - from);
      while (this.#closeOne()) if (this.#full.length > 0) yield piece();
      if (bytes >= pieceBytes) yield piece();
    }
    this.#flush();
    this.#closeOne();
    yield piece();
  }

  /** Returns what work it was: plain bytes of its records, or as many as take so long. */
  #append(batch: SourceBatch, position: number, skipped: SkippedCounts): number {
    const { codec, loop } = this.#options;
    const isKept = codec === 'source' || codec === batch.codec;
    const format = isKept ? this.#choice.formatFor(batch, this.#builder, matched) : undefined;
    const plan = planOf(batch, isKept ? batch.codec : codec, format);
    const bytes = plan.format === undefined ? recordsOf(batch, this.#where) : matched.text;
    const reader = new RecordReader(bytes, `${this.#where}@${batch.baseOffset}`);
    const firstOffset = position - batch.baseOffset;
    let count = 0;
    while (reader.next()) {
      count += 1;
      if (reader.offsetDelta < firstOffset) continue;
      if (loop !== undefined && isLooped(reader, loop)) {
        skipped.looped += 1;
        continue;
      }
      this.#write(reader, plan);
    }
    if (this.#builder?.packer !== undefined) carryMatches(matched, this.#builder.packer);
    const work = plan.codec === 'gzip' ? gzipWork : 1;
    if (count === batch.recordCount) return reader.bytes.length * work;
    const text = `${count} records, the batch says ${batch.recordCount}`;
    throw corrupt(`${this.#where}@${batch.baseOffset}`, text);
  }

  #write(reader: RecordReader, plan: BatchPlan): void {
    const template = this.#template;
    const sourceOffset = plan.baseOffset + reader.offsetDelta;
    template.goTo(sourceOffset);
    const sourceDelta = plan.isLogAppendTime ? 0 : reader.timestampDelta();
    const isExact = plan.isSafe && sourceDelta < safeDelta && sourceDelta > -safeDelta;
    const { headersAt, keyAt, headerCount, firstHeaderAt, to } = reader;
    const stamp = template.bytes;
    const headersMade = headerCount + (stamp.length > 0 ? 1 : 0);
    const headerCountLength = intLength(headersMade);
    const fixed = 1 + headersAt - keyAt + headerCountLength + to - firstHeaderAt + stamp.length;
    const builder = this.#roomFor(fixed + variableBytesMax, plan, isExact);
    const delta = isExact ? sourceDelta + plan.base - builder.baseTimestamp : 0;
    const deltaLength = isExact ? longLength(delta) : reader.timestampLength;
    const { bytes, view, recordCount, packer } = builder;
    const startAt = builder.at;
    let at = writeInt(bytes, startAt, fixed + deltaLength + intLength(recordCount));
    bytes[at] = reader.bytes[reader.from] ?? 0;
    at += 1;
    if (isExact) at = writeLong(bytes, at, delta);
    else at = reader.copyTimestamp(bytes, at);
    const keptAt = writeInt(bytes, at, recordCount);
    at = copyBytes(reader.bytes, reader.view, keyAt, headersAt, bytes, view, keptAt);
    const keptAt2 = writeInt(bytes, at, headersMade);
    at = copyBytes(reader.bytes, reader.view, firstHeaderAt, to, bytes, view, keptAt2);
    builder.at = copyBytes(stamp, template.view, 0, stamp.length, bytes, view, at);
    if (packer !== undefined) {
      matched.place(keyAt, headersAt, keptAt, firstHeaderAt, to, keptAt2);
      matched.placeIn(startAt, at, builder.at);
    }
    if (isExact) builder.maxTimestamp = Math.max(builder.maxTimestamp, plan.base + sourceDelta);
    builder.count(sourceOffset);
  }

  /** The builder to write the next record to: the present one, or a new one. */
  #roomFor(bytes: number, plan: BatchPlan, isExact: boolean): BatchBuilder {
    const present = this.#builder;
    const isLarge = bytes > (plan.format?.recordBytesMax ?? 0);
    const format = isLarge ? undefined : plan.format;
    if (present !== undefined) {
      const fits =
        present.at + bytes <= present.limit &&
        present.codec === plan.codec &&
        (present.packer === undefined) === (format === undefined);
      const sameTimes = isExact ? present.raw === undefined : present.raw === plan.raw;
      if (fits && sameTimes) return present;
    }
    this.#flush();
    const { codec } = plan;
    const { pool, batchBytesMax } = this.#options;
    const wanted = plainBytesMax(codec, batchBytesMax);
    const ahead = codec === 'none' ? this.#bytesAhead : this.#bytesAhead * expansionGuess;
    this.#builder = new BatchBuilder({
      pool,
      codec,
      limit: batchAt.records + Math.max(bytes, Math.min(wanted - batchAt.records, ahead)),
      baseTimestamp: plan.base,
      raw: isExact ? undefined : plan.raw,
      format,
    });
    return this.#builder;
  }

  #flush(): void {
    const builder = this.#builder;
    this.#builder = undefined;
    if (builder === undefined) return;
    if (builder.packer !== undefined) carryMatches(matched, builder.packer);
    this.#full.push(builder);
  }

  /** Packs the next full one; false when there is none. */
  #closeOne(): boolean {
    const builder = this.#full.shift();
    if (builder !== undefined) this.#made.push(builder.close());
    return builder !== undefined;
  }

  #dropAll(): void {
    matched.placed = 0;
    this.#builder?.drop();
    this.#builder = undefined;
    for (const builder of this.#full) builder.drop();
    this.#full = [];
    for (const batch of this.#made) batch.release();
    this.#made = [];
  }
}
