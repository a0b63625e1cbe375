/** Walks over the records of a batch: one object, reused, whose fields say where each part lies. */
import { corrupt } from './corrupt.ts';
import { VarintCursor } from './varint.ts';

/** Attributes, time, offset, key, value and header count take a byte each at the least. */
const recordBytesMin = 6;

export class RecordReader {
  /** Place of the record's attributes, just behind its length. */
  from = 0;
  /** Place behind the record. */
  to = 0;
  timestampAt = 0;
  offsetDelta = 0;
  /** From the key's length on, key and value follow one another. */
  keyAt = 0;
  headersAt = 0;
  headerCount = 0;
  /** Place of the first header. */
  firstHeaderAt = 0;
  readonly #cursor = new VarintCursor();
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly #end: number;
  readonly #where: string;

  constructor(bytes: Buffer, where: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#end = bytes.length;
    this.#where = where;
  }

  /** Goes to the next record; false at the end. @throws MeshError batch_corrupt */
  next(): boolean {
    const bytes = this.bytes;
    const cursor = this.#cursor;
    if (this.to >= this.#end) return false;
    cursor.at = this.to;
    const length = cursor.readInt(bytes);
    const from = cursor.at;
    const to = from + length;
    if (length < recordBytesMin || to > this.#end) throw this.#broken(`length ${length}`);
    let at = from + 1;
    this.timestampAt = at;
    while ((bytes[at] ?? 0) > 0x7f) at += 1;
    cursor.at = at + 1;
    this.offsetDelta = cursor.readInt(bytes);
    this.keyAt = cursor.at;
    const keyLength = cursor.readInt(bytes);
    if (keyLength > 0) cursor.at += keyLength;
    if (cursor.at >= to) throw this.#broken(`key of ${keyLength} bytes`);
    const valueLength = cursor.readInt(bytes);
    if (valueLength > 0) cursor.at += valueLength;
    if (cursor.at >= to) throw this.#broken(`value of ${valueLength} bytes`);
    this.headersAt = cursor.at;
    this.headerCount = cursor.readInt(bytes);
    this.firstHeaderAt = cursor.at;
    if (this.headerCount < 0 || cursor.at > to) throw this.#broken(`${this.headerCount} headers`);
    this.from = from;
    this.to = to;
    return true;
  }

  /** The record's time as a difference to the batch's base, in ms; exact up to 2^52. */
  timestampDelta(): number {
    this.#cursor.at = this.timestampAt;
    return this.#cursor.readLong(this.bytes);
  }

  /** Bytes that the difference takes as it was written. */
  get timestampLength(): number {
    let at = this.timestampAt;
    while ((this.bytes[at] ?? 0) > 0x7f) at += 1;
    return at + 1 - this.timestampAt;
  }

  copyTimestamp(target: Buffer, at: number): number {
    const from = this.timestampAt;
    return at + this.bytes.copy(target, at, from, from + this.timestampLength);
  }

  /** Headers of the present record, in order. */
  *headers(): Iterable<{ key: Buffer; value: Buffer | null }> {
    const cursor = new VarintCursor();
    cursor.at = this.firstHeaderAt;
    for (let index = 0; index < this.headerCount; index += 1) {
      const key = this.slice(cursor);
      if (key === null) throw this.#broken('a header without key');
      yield { key, value: this.slice(cursor) };
    }
  }

  /** The bytes behind a length, which may be -1 for null. */
  slice(cursor: VarintCursor): Buffer | null {
    const length = cursor.readInt(this.bytes);
    if (length < 0) return null;
    const from = cursor.at;
    cursor.at += length;
    if (cursor.at > this.to) throw this.#broken(`a part of ${length} bytes`);
    return this.bytes.subarray(from, cursor.at);
  }

  #broken(found: string): Error {
    return corrupt(this.#where, `record at byte ${this.to}: ${found}, beyond its end`);
  }
}
