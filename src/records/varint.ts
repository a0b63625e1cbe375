/** Zigzag varints as in Kafka's records: 32 bits for lengths and deltas, 64 bits for timestamps. */

/**
 * A value and the place behind it; one object, reused by its reader, so that nothing is
 * allocated.
 */
export class VarintCursor {
  at = 0;

  /** Up to 35 bits are read; what Kafka writes fits in 32. */
  readInt(bytes: Uint8Array): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = bytes[this.at] ?? 0;
      this.at += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
      shift += 7;
    }
  }

  /** A 64-bit zigzag varint as a number: exact up to 2^52, beyond that only its size is told. */
  readLong(bytes: Uint8Array): number {
    let low = 0;
    let scale = 1;
    for (let count = 0; count < 10; count += 1) {
      const byte = bytes[this.at] ?? 0;
      this.at += 1;
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    const half = Math.floor(low / 2);
    return low % 2 === 0 ? half : -half - 1;
  }
}

/** A 64-bit zigzag varint, exactly; slower. */
export function readBigLong(bytes: Uint8Array, from: number): bigint {
  let zigzag = 0n;
  for (let count = 0; count < 10; count += 1) {
    const byte = bytes[from + count] ?? 0;
    zigzag |= BigInt(byte & 0x7f) << BigInt(7 * count);
    if (byte < 0x80) break;
  }
  return (zigzag >> 1n) ^ -(zigzag & 1n);
}

/** Writes at `at`; returns the place behind it. */
export function writeInt(bytes: Uint8Array, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let place = at;
  while (rest > 0x7f) {
    bytes[place] = (rest & 0x7f) | 0x80;
    place += 1;
    rest >>>= 7;
  }
  bytes[place] = rest;
  return place + 1;
}

/** Numbers up to 2^52 in size, exactly. */
export function writeLong(bytes: Uint8Array, at: number, value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let place = at;
  while (rest > 0x7f) {
    bytes[place] = (rest % 128) | 0x80;
    place += 1;
    rest = Math.floor(rest / 128);
  }
  bytes[place] = rest;
  return place + 1;
}

export function intLength(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 2 ** 7) return 1;
  if (zigzag < 2 ** 14) return 2;
  if (zigzag < 2 ** 21) return 3;
  return zigzag < 2 ** 28 ? 4 : 5;
}

export function longLength(value: number): number {
  let length = 1;
  for (let rest = value >= 0 ? value * 2 : -value * 2 - 1; rest > 0x7f; length += 1) {
    rest = Math.floor(rest / 128);
  }
  return length;
}
