/**
 * Snappy as record batches hold it, read with its matches and written from matches that are known:
 * Java wraps blocks in a frame of its own ("xerial"), librdkafka writes one raw block. We write
 * what Java does. See format_description.txt of the Snappy project.
 */
import { copyBytes } from './copy-bytes.ts';
import { lengthMin, type Area, type BlockFormat } from './match-packer.ts';
import type { MatchedText } from './matched-text.ts';
import { repeatBytes } from './repeat-bytes.ts';

const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
export const xerialHeader = Buffer.concat([xerialMagic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);

/** Kinds of elements, in the lowest two bits of their tags. */
const kinds = { literals: 0, near: 1, far: 2, anywhere: 3 } as const;
/** No two bytes stand for more. */
const expansionMax = 64;

export function isXerial(packed: Buffer): boolean {
  return packed.subarray(0, xerialMagic.length).equals(xerialMagic);
}

/** @throws RangeError when a block is damaged */
export function readSnappy(packed: Buffer, into: MatchedText): void {
  into.clear();
  if (!isXerial(packed)) {
    readBlock(packed, 0, packed.length, into);
    return;
  }
  for (let at = xerialHeader.length; at < packed.length;) {
    const length = packed.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > packed.length) {
      throw new RangeError(`block of ${length} bytes at ${at}`);
    }
    readBlock(packed, at, at + length, into);
    at += length;
  }
}

function readBlock(packed: Buffer, from: number, to: number, into: MatchedText): void {
  let read = from;
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = packed[read] ?? 0;
    read += 1;
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) throw damaged(read);
  }
  if (read > to || size > (to - read) * expansionMax) throw damaged(read);
  into.reserve(size, to - read);
  readElements(packed, read, to, into, size);
}

function readElements(
  packed: Buffer,
  from: number,
  to: number,
  into: MatchedText,
  size: number,
): void {
  const { bytes, view, matches } = into;
  const packedView = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const historyFrom = into.length;
  const textEnd = historyFrom + size;
  let at = historyFrom;
  let read = from;
  let entry = into.matchesEnd;
  while (read < to) {
    const tag = packed[read] ?? 0;
    const kind = tag & 3;
    read += 1;
    if (kind === kinds.literals) {
      let length = (tag >> 2) + 1;
      if (length > 60) {
        const sizeBytes = length - 60;
        if (read + sizeBytes > to) throw damaged(read);
        length = packed.readUIntLE(read, sizeBytes) + 1;
        read += sizeBytes;
      }
      if (read + length > to || at + length > textEnd) throw damaged(read);
      at = copyBytes(packed, packedView, read, read + length, bytes, view, at);
      read += length;
      continue;
    }
    let length = (tag >> 2) + 1;
    let distance = packed[read] ?? 0;
    read += 1;
    if (kind === kinds.near) {
      length = ((tag >> 2) & 7) + 4;
      distance |= (tag >> 5) << 8;
    } else {
      const more = kind === kinds.far ? 1 : 3;
      if (read + more > to) throw damaged(read);
      distance += packed.readUIntLE(read, more) * 256;
      read += more;
    }
    const isPossible = distance > 0 && at - distance >= historyFrom && at + length <= textEnd;
    if (!isPossible || read > to) throw damaged(read);
    repeatBytes(bytes, view, at, length, distance);
    entry = note(matches, entry, at, length, distance);
    at += length;
  }
  if (at !== textEnd) throw new RangeError(`${at - historyFrom} bytes in a block of ${size}`);
  into.length = at;
  into.matchesEnd = entry;
}

/** A long match is written as several that follow one another: one here. */
function note(
  matches: Int32Array,
  entry: number,
  at: number,
  length: number,
  distance: number,
): number {
  const before = entry - 3;
  if (
    before >= 0 &&
    matches[entry - 1] === distance &&
    (matches[before] ?? 0) + (matches[before + 1] ?? 0) === at
  ) {
    matches[before + 1] = (matches[before + 1] ?? 0) + length;
    return entry;
  }
  matches[entry] = at;
  matches[entry + 1] = length;
  matches[entry + 2] = distance;
  return entry + 3;
}

function damaged(at: number): RangeError {
  return new RangeError(`a length or distance at byte ${at} reaches outside`);
}

const copyBytesMax = 64;
const nearLengthMax = 11;
const nearDistanceMax = 2_047;
/** For the size of a block's text, ahead of its elements; nearly always right. */
const sizeBytes = 3;

export const snappyFormat: BlockFormat = {
  headerBytes: xerialHeader.length,
  blockHeadBytes: 4 + sizeBytes,
  recordBytesMax: 2 ** 21 - 1,
  matchBeforeEnd: 0,
  literalsAtEnd: 0,

  writeMatch(out, start, text, from, matchAt, length, distance) {
    const { bytes } = out;
    let at = writeLiterals(out, start, text, from, matchAt);
    let rest = length;
    while (rest > 0) {
      const isNear = rest <= nearLengthMax && distance <= nearDistanceMax && rest >= lengthMin;
      if (isNear) {
        bytes[at] = kinds.near | ((rest - 4) << 2) | ((distance >> 8) << 5);
        bytes[at + 1] = distance & 0xff;
        return at + 2;
      }
      // What is left behind a full one is never shorter than a near one may be.
      const part =
        rest <= copyBytesMax
          ? rest
          : rest < copyBytesMax + lengthMin
            ? copyBytesMax - lengthMin
            : copyBytesMax;
      bytes[at] = kinds.far | ((part - 1) << 2);
      bytes[at + 1] = distance & 0xff;
      bytes[at + 2] = distance >> 8;
      at += 3;
      rest -= part;
    }
    return at;
  },

  writeLiterals,

  writeHead({ bytes }, headAt, at, _text, from, to) {
    const size = to - from;
    const used = size < 2 ** 7 ? 1 : size < 2 ** 14 ? 2 : sizeBytes;
    const dataAt = headAt + 4 + sizeBytes;
    if (used < sizeBytes) bytes.copyWithin(headAt + 4 + used, dataAt, at);
    let place = headAt + 4;
    let rest = size;
    for (; rest > 0x7f; rest >>>= 7, place += 1) bytes[place] = (rest & 0x7f) | 0x80;
    bytes[place] = rest;
    const end = at - sizeBytes + used;
    bytes.writeInt32BE(end - headAt - 4, headAt);
    return end;
  },

  writeFrame({ bytes }, at) {
    xerialHeader.copy(bytes);
    return at;
  },
};

function writeLiterals(out: Area, start: number, text: Area, from: number, to: number): number {
  const length = to - from;
  if (length === 0) return start;
  const { bytes } = out;
  const less = length - 1;
  let at = start;
  if (less < 60) {
    bytes[at] = less << 2;
    at += 1;
  } else {
    const more = less < 2 ** 8 ? 1 : less < 2 ** 16 ? 2 : 3;
    bytes[at] = (59 + more) << 2;
    bytes.writeUIntLE(less, at + 1, more);
    at += 1 + more;
  }
  return copyBytes(text.bytes, text.view, from, to, bytes, out.view, at);
}
