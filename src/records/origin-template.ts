/**
 * The bytes of the provenance header for one partition, kept ready: going to the next offset
 * changes a digit or two in place, so nothing is formatted and nothing allocated per record.
 */
import { formatOrigin, originKeyBytes } from './origin.ts';
import { intLength, writeInt } from './varint.ts';

const zero = 0x30;
const nine = 0x39;

export class OriginTemplate {
  /** A whole record header: key length, key, value length, value. Valid until the next `goTo`. */
  bytes: Buffer = Buffer.alloc(0);
  /** The same bytes, for copying in words. */
  view: DataView = new DataView(new ArrayBuffer(0));
  readonly #prefix: string;
  readonly #suffix: string;
  #offset = -2;
  #digitsFrom = 0;
  #digitsTo = 0;

  constructor(of: { site: string; topic: string; partition: number; generation: number }) {
    const [prefix = '', suffix = ''] = formatOrigin({ ...of, offset: 0 }).split('@0');
    this.#prefix = `${prefix}@`;
    this.#suffix = suffix;
  }

  goTo(offset: number): void {
    if (offset !== this.#offset + 1 || !this.#increment()) this.#format(offset);
    this.#offset = offset;
  }

  /** False when one more digit is needed. */
  #increment(): boolean {
    const { bytes } = this;
    for (let at = this.#digitsTo - 1; at >= this.#digitsFrom; at -= 1) {
      const digit = bytes[at] ?? nine;
      if (digit !== nine) {
        bytes[at] = digit + 1;
        return true;
      }
      bytes[at] = zero;
    }
    return false;
  }

  #format(offset: number): void {
    const digits = String(offset);
    const value = Buffer.from(`${this.#prefix}${digits}${this.#suffix}`, 'latin1');
    const key = originKeyBytes;
    const length = intLength(key.length) + key.length + intLength(value.length) + value.length;
    const bytes = Buffer.alloc(length);
    let at = writeInt(bytes, 0, key.length);
    at += key.copy(bytes, at);
    at = writeInt(bytes, at, value.length);
    value.copy(bytes, at);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#digitsFrom = at + this.#prefix.length;
    this.#digitsTo = this.#digitsFrom + digits.length;
  }
}
