/**
 * The records of one compressed batch, unpacked, and how its producer had packed them: which
 * stretches repeat earlier ones. Searching for these is most of the price of compressing, so they
 * are carried over to the stamped batch (carry-matches.ts) instead of being searched for again.
 *
 * One object is filled again and again: it belongs to a batch until the next one is read.
 */
import { assert } from '../base/assert.ts';

/** What one batch may unpack to; a forged size must not take the agent down. */
export const plainBytesMax = 512 * 1024 * 1024;
/** Larger memory is not kept for the next batch. */
const keptBytesMax = 4 * 1024 * 1024;
const bytesMin = 64 * 1024;
/** One part of a record begins or ends in so many bytes, or few: for finding it at once. */
export const stretchShift = 6;
/** Behind the text, for copying in words. */
const slack = 8;

export class MatchedText {
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Bytes of text so far. */
  length = 0;
  /** Place, length and distance of each repeated stretch, in order of place. */
  matches: Int32Array = new Int32Array(0);
  /** Entries used in `matches`: three for each. */
  matchesEnd = 0;
  /** The first match that was not carried over yet. */
  nextMatch = 0;
  /**
   * Parts of the text that stand in the batch being built, in order: two for each record, the
   * second may be empty. What lies between them was replaced. Of each: where it begins and ends
   * here, and how much further it lies in the new batch.
   */
  parts: Int32Array = new Int32Array(0);
  /** For every 64 bytes of text: the first part that ends behind their begin. */
  partOf: Int32Array = new Int32Array(0);
  #filled = 0;
  #placesMax = 0;
  /** Of each record, in the new batch: where it, and its stamp, begin, and where they end. */
  starts: Int32Array = new Int32Array(0);
  stampStarts: Int32Array = new Int32Array(0);
  ends: Int32Array = new Int32Array(0);
  placed = 0;

  /** Forgets the batch before. */
  clear(): void {
    this.length = 0;
    this.matchesEnd = 0;
    this.nextMatch = 0;
    this.placed = 0;
    if (this.bytes.length > keptBytesMax) this.#use(Buffer.alloc(0));
    if (this.matches.length > keptBytesMax >> 2) this.matches = new Int32Array(0);
  }

  /**
   * Room for so many bytes more, and for the matches that so many packed bytes can hold: each takes
   * three, or two in snappy. @throws RangeError when no batch is so large
   */
  reserve(textBytes: number, packedBytes: number): void {
    const wanted = this.length + textBytes + slack;
    if (wanted > plainBytesMax) throw new RangeError(`${wanted} bytes in one batch`);
    if (wanted > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(bytesMin, 2 ** Math.ceil(Math.log2(wanted))));
      this.bytes.copy(larger, 0, 0, this.length);
      this.#use(larger);
    }
    const entries = this.matchesEnd + Math.ceil(packedBytes / 2) * 3;
    if (entries > this.matches.length) this.matches = grown(this.matches, entries);
    const stretches = (this.bytes.length >> stretchShift) + 1;
    if (stretches > this.partOf.length) this.partOf = grown(this.partOf, stretches);
  }

  /** A record's two parts were written to the batch being built; `placeIn` follows. */
  place(from: number, to: number, at: number, from2: number, to2: number, at2: number): void {
    if (this.placed === this.#placesMax) this.#growPlaces();
    const { parts, partOf, placed } = this;
    const first = placed * 6;
    parts[first] = from;
    parts[first + 1] = to;
    parts[first + 2] = at - from;
    parts[first + 3] = from2;
    parts[first + 4] = to2;
    parts[first + 5] = at2 - from2;
    let stretch = placed === 0 ? 0 : this.#filled;
    for (; stretch << stretchShift < to; stretch += 1) partOf[stretch] = first;
    for (; stretch << stretchShift < to2; stretch += 1) partOf[stretch] = first + 3;
    this.#filled = stretch;
  }

  /** Where the record begins there, its stamp, and where they end. */
  placeIn(startAt: number, stampAt: number, end: number): void {
    const { placed } = this;
    this.starts[placed] = startAt;
    this.stampStarts[placed] = stampAt;
    this.ends[placed] = end;
    this.placed = placed + 1;
  }

  get bytesPerMatch(): number {
    return (3 * this.length) / this.matchesEnd;
  }

  get text(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  #use(bytes: Buffer): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #growPlaces(): void {
    const places = Math.max(256, this.placed * 2);
    this.#placesMax = places;
    assert(places < 2 ** 28, 'no batch holds so many records');
    this.parts = grown(this.parts, places * 6);
    this.starts = grown(this.starts, places);
    this.stampStarts = grown(this.stampStarts, places);
    this.ends = grown(this.ends, places);
  }
}

function grown(before: Int32Array, length: number): Int32Array {
  const larger = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(1024, length))));
  larger.set(before);
  return larger;
}
