/**
 * What the batches of a target's log are to one flow: copies of known source records, by stamp or
 * by the journal of the pass lane; copies of which nothing tells any more what they are; or records
 * of somebody else.
 *
 * Only a batch of one of our producer ids is a copy: applications copy headers, they cannot forge
 * the id. One whose tenure is in the journal is never looked into: what it carries for stamps came
 * with its records.
 */
import type { Run } from '../offsets/run.ts';
import { attributeBits, batchAt, completeBatches, readOffset } from '../records/batch-header.ts';
import { scanOrigins } from '../records/scan-origins.ts';
import type { PassJournal } from './pass-journal.ts';

export interface CopyFilter {
  readonly flow: string;
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  readonly generation: number;
  readonly producerIds: ReadonlySet<bigint>;
}

export interface OffsetRange {
  readonly from: number;
  readonly to: number;
}

/** A stretch of a log, read in order; offsets [from, to) of it. */
export class TailFound {
  /** Runs of ours, ascending on both sides: those behind the last copy that cannot be told. */
  readonly runs: Run[] = [];
  /** Target offsets of records that are not ours: somebody else wrote them. */
  readonly foreign: OffsetRange[] = [];
  /** Target offset behind the last record, ours or not; markers do not count. */
  recordsEnd: number | undefined;
  /** A copy was found that can be told, of this generation or of another. */
  hasOurs = false;
  /** A copy was found that cannot be told: `runs` are not all. */
  isCut = false;
  /** Target offset of the last copy that cannot be told. */
  untold: number | undefined;
  /** Of the last copy in the stretch nothing tells which record it is. */
  isLost = false;

  add(later: TailFound): void {
    if (later.isCut) this.runs.length = 0;
    for (const run of later.runs) this.run(run);
    for (const range of later.foreign) this.others(range);
    this.untold = later.untold ?? this.untold;
    this.recordsEnd = later.recordsEnd ?? this.recordsEnd;
    this.isCut ||= later.isCut;
    if (later.hasOurs || later.isCut) this.isLost = later.isLost;
    this.hasOurs ||= later.hasOurs;
  }

  run(run: Run): void {
    const before = this.runs.at(-1);
    const isNext =
      before !== undefined &&
      before.sourceOffset + before.length === run.sourceOffset &&
      before.targetOffset + before.length === run.targetOffset;
    if (isNext) this.runs[this.runs.length - 1] = { ...before, length: before.length + run.length };
    else this.runs.push(run);
    this.ours();
  }

  ours(): void {
    this.hasOurs = true;
    this.isLost = false;
  }

  others({ from, to }: OffsetRange): void {
    const before = this.foreign.at(-1);
    if (before?.to !== from) this.foreign.push({ from, to });
    else this.foreign[this.foreign.length - 1] = { from: before.from, to };
  }

  unknown(targetOffset: number): void {
    this.runs.length = 0;
    this.untold = targetOffset;
    this.isCut = true;
    this.isLost = true;
  }
}

/** @throws MeshError batch_corrupt */
export function findCopies(
  records: Buffer,
  range: { readonly from: number; readonly to: number },
  filter: CopyFilter,
  passes: PassJournal,
): TailFound {
  const found = new TailFound();
  for (const { from, to } of completeBatches(records)) {
    const bytes = records.subarray(from, to);
    const baseOffset = readOffset(bytes, batchAt.baseOffset);
    if (baseOffset >= range.to) break;
    const lastOffset = baseOffset + bytes.readInt32BE(batchAt.lastOffsetDelta);
    const attributes = bytes.readInt16BE(batchAt.attributes);
    if ((attributes & attributeBits.control) !== 0 || lastOffset < range.from) continue;
    if (!findPassed(bytes, { baseOffset, lastOffset }, range, { filter, passes, found })) {
      findStamped(bytes, range, filter, found);
    }
  }
  return found;
}

interface Search {
  readonly filter: CopyFilter;
  readonly passes: PassJournal;
  readonly found: TailFound;
}

function findPassed(
  bytes: Buffer,
  { baseOffset, lastOffset }: { readonly baseOffset: number; readonly lastOffset: number },
  range: { readonly from: number; readonly to: number },
  { filter, passes, found }: Search,
): boolean {
  const producer = {
    producerId: bytes.readBigInt64BE(batchAt.producerId),
    producerEpoch: bytes.readInt16BE(batchAt.producerEpoch),
  };
  const passed = passes.find(filter, producer, {
    baseSequence: bytes.readInt32BE(batchAt.baseSequence),
    // Not the count of records: that is lower once the log has been compacted.
    recordCount: lastOffset - baseOffset + 1,
  });
  if (passed === undefined) return false;
  found.recordsEnd = Math.min(range.to, lastOffset + 1);
  found.ours();
  if (passed.generation !== filter.generation) return true;
  for (const { sourceOffset, index, length } of passed.runs) {
    const from = Math.max(range.from, baseOffset + index);
    const to = Math.min(range.to, baseOffset + index + length);
    if (from >= to) continue;
    const skipped = from - baseOffset - index;
    found.run({ sourceOffset: sourceOffset + skipped, targetOffset: from, length: to - from });
  }
  return true;
}

function findStamped(
  bytes: Buffer,
  range: { readonly from: number; readonly to: number },
  filter: CopyFilter,
  found: TailFound,
): void {
  for (const { targetOffset, length, producerId, origin } of scanOrigins(bytes, range.from)) {
    if (targetOffset >= range.to) break;
    const end = Math.min(range.to, targetOffset + length);
    found.recordsEnd = end;
    if (!filter.producerIds.has(producerId)) {
      found.others({ from: targetOffset, to: end });
      continue;
    }
    const isFromThere =
      origin?.site === filter.site &&
      origin.topic === filter.topic &&
      origin.partition === filter.partition;
    if (!isFromThere) found.unknown(end - 1);
    else if (origin.generation !== filter.generation) found.ours();
    else {
      found.run({ sourceOffset: origin.offset, targetOffset, length: end - targetOffset });
    }
  }
}
