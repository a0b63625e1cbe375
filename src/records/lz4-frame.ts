/**
 * LZ4 as record batches hold it: the frame format, read with its matches and written from matches
 * that are known. See lz4_Frame_format.md and lz4_Block_format.md of the LZ4 project.
 *
 * Only frames as Java, librdkafka and we write them are read here: no dictionary, no checksum of
 * their content (the batch has its own). Anything else is left to the library.
 */
import { compressSync } from 'lz4-napi';
import { copyBytes } from './copy-bytes.ts';
import { areaOf, lengthMin, type BlockFormat } from './match-packer.ts';
import type { MatchedText } from './matched-text.ts';
import { repeatBytes } from './repeat-bytes.ts';

const magic = 0x184d2204;
/** Version 1, blocks that need no other block, nothing more. */
const flagsWritten = 0x60;
/** What a frame may name as the size of its largest block, by its code less 4. */
const blockSizes = [64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024] as const;
const codeMin = 4;
/** In a block's length: stored as it is. */
const storedBit = 0x80000000;

const flagBits = { version: 0xc0, independent: 0x20, contentSize: 0x08 } as const;
/** Bits that need what is not done here. */
const foreignBits = 0x17;
const expansionMax = 255;

/**
 * True when all was read; false when the frame is of a kind that is left to the library.
 * @throws RangeError when a block is damaged
 */
export function readLz4Frame(packed: Buffer, into: MatchedText): boolean {
  into.clear();
  const header = readHeader(packed);
  if (header === undefined) return false;
  const { blockBytesMax, isIndependent } = header;
  let { at } = header;
  for (;;) {
    if (at + 4 > packed.length) return false;
    const field = packed.readUInt32LE(at);
    at += 4;
    if (field === 0) return at === packed.length;
    const length = field & (storedBit - 1);
    if (at + length > packed.length) throw new RangeError(`block of ${length} bytes at ${at}`);
    const textMax = Math.min(blockBytesMax, length * expansionMax);
    into.reserve(textMax, length);
    const isStored = field >= storedBit;
    if (isStored) store(packed, at, length, textMax, into);
    else readBlock(packed, at, at + length, into, isIndependent ? into.length : 0, textMax);
    at += length;
  }
}

interface Header {
  readonly at: number;
  readonly blockBytesMax: number;
  readonly isIndependent: boolean;
}

function readHeader(packed: Buffer): Header | undefined {
  if (packed.length < 11 || packed.readUInt32LE(0) !== magic) return undefined;
  const flags = packed[4] ?? 0;
  const descriptor = packed[5] ?? 0;
  const blockBytesMax = blockSizes[(descriptor >> 4) - codeMin];
  if ((flags & flagBits.version) !== 0x40 || (flags & foreignBits) !== 0) return undefined;
  if (blockBytesMax === undefined || (descriptor & 0x8f) !== 0) return undefined;
  const at = (flags & flagBits.contentSize) === 0 ? 6 : 14;
  if (packed[at] !== headerChecksum(packed.subarray(4, at))) return undefined;
  return { at: at + 1, blockBytesMax, isIndependent: (flags & flagBits.independent) !== 0 };
}

function store(
  packed: Buffer,
  from: number,
  length: number,
  textMax: number,
  into: MatchedText,
): void {
  if (length > textMax) throw new RangeError(`block of ${length} bytes at ${from}`);
  into.length += packed.copy(into.bytes, into.length, from, from + length);
}

/** @param historyFrom distances reach back to here, no further */
function readBlock(
  packed: Buffer,
  from: number,
  to: number,
  into: MatchedText,
  historyFrom: number,
  textMax: number,
): void {
  const { bytes, view, matches } = into;
  const packedView = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const textEnd = into.length + textMax;
  let at = into.length;
  let read = from;
  let entry = into.matchesEnd;
  while (read < to) {
    const token = packed[read] ?? 0;
    read += 1;
    let literals = token >> 4;
    if (literals === 15) {
      for (let more = 255; more === 255; read += 1) literals += more = packed[read] ?? 0;
    }
    if (read + literals > to || at + literals > textEnd) throw damaged(read);
    at = copyBytes(packed, packedView, read, read + literals, bytes, view, at);
    read += literals;
    if (read === to) break;
    const distance = (packed[read] ?? 0) | ((packed[read + 1] ?? 0) << 8);
    read += 2;
    let length = (token & 15) + lengthMin;
    if (length === 15 + lengthMin) {
      for (let more = 255; more === 255; read += 1) length += more = packed[read] ?? 0;
    }
    const isPossible = distance > 0 && at - distance >= historyFrom && at + length <= textEnd;
    if (!isPossible || read >= to) throw damaged(read);
    repeatBytes(bytes, view, at, length, distance);
    matches[entry] = at;
    matches[entry + 1] = length;
    matches[entry + 2] = distance;
    entry += 3;
    at += length;
  }
  into.length = at;
  into.matchesEnd = entry;
}

function damaged(at: number): RangeError {
  return new RangeError(`a length or distance at byte ${at} reaches outside`);
}

/** The second byte of the xxHash-32 of the frame's descriptor, which is shorter than 16 bytes. */
export function headerChecksum(descriptor: Uint8Array): number {
  const prime = { two: 2246822519, three: 3266489917, four: 668265263, five: 374761393 };
  const prime1 = 2654435761;
  let hash = (prime.five + descriptor.length) | 0;
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.length);
  let at = 0;
  for (; at + 4 <= descriptor.length; at += 4) {
    hash = (hash + Math.imul(view.getInt32(at, true), prime.three)) | 0;
    hash = Math.imul((hash << 17) | (hash >>> 15), prime.four);
  }
  for (; at < descriptor.length; at += 1) {
    hash = (hash + Math.imul(descriptor[at] ?? 0, prime.five)) | 0;
    hash = Math.imul((hash << 11) | (hash >>> 21), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime.two);
  hash = Math.imul(hash ^ (hash >>> 13), prime.three);
  hash ^= hash >>> 16;
  return (hash >>> 8) & 0xff;
}

export const lz4Format: BlockFormat = {
  headerBytes: 7,
  blockHeadBytes: 4,
  recordBytesMax: blockSizes[3],
  matchBeforeEnd: 12,
  literalsAtEnd: 5,

  writeMatch(out, start, text, from, matchAt, length, distance) {
    const { bytes } = out;
    const literals = matchAt - from;
    const more = length - lengthMin;
    bytes[start] = ((literals < 15 ? literals : 15) << 4) | (more < 15 ? more : 15);
    let at = literals < 15 ? start + 1 : writeLength(bytes, start + 1, literals);
    at = copyBytes(text.bytes, text.view, from, matchAt, bytes, out.view, at);
    bytes[at] = distance & 0xff;
    bytes[at + 1] = distance >> 8;
    return more < 15 ? at + 2 : writeLength(bytes, at + 2, more);
  },

  writeLiterals(out, start, text, from, to) {
    const { bytes } = out;
    const literals = to - from;
    bytes[start] = (literals < 15 ? literals : 15) << 4;
    const at = literals < 15 ? start + 1 : writeLength(bytes, start + 1, literals);
    return copyBytes(text.bytes, text.view, from, to, bytes, out.view, at);
  },

  writeHead({ bytes }, headAt, at, text, from, to) {
    const dataAt = headAt + 4;
    const isStored = at - dataAt >= to - from;
    const end = isStored ? dataAt + text.bytes.copy(bytes, dataAt, from, to) : at;
    bytes.writeUInt32LE(isStored ? end - dataAt + storedBit : end - dataAt, headAt);
    return end;
  },

  writeFrame({ bytes }, at, blockBytesMax) {
    bytes.writeUInt32LE(magic, 0);
    bytes[4] = flagsWritten;
    bytes[5] = (blockSizes.findIndex((size) => size >= blockBytesMax) + codeMin) << 4;
    bytes[6] = headerChecksum(bytes.subarray(4, 6));
    bytes.writeUInt32LE(0, at);
    return at + 4;
  },
};

/** What does not fit in half a token. */
function writeLength(out: Buffer, from: number, length: number): number {
  let at = from;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255, at += 1) out[at] = 255;
  out[at] = rest;
  return at + 1;
}

const libraryBlockBytes = 64 * 1024;
/** The library puts the size of the text before a block. */
const librarySizeBytes = 4;

/**
 * A frame made by the library, in parts. Block by block: the memory of small results is found again
 * by the next ones, that of large ones comes fresh from the kernel each time.
 */
export function packLz4(plain: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < plain.length; at += libraryBlockBytes) {
    const block = plain.subarray(at, at + libraryBlockBytes);
    const packed = compressSync(block).subarray(librarySizeBytes);
    const isStored = packed.length >= block.length;
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32LE(isStored ? block.length + storedBit : packed.length);
    parts.push(head, isStored ? block : packed);
  }
  const { headerBytes } = lz4Format;
  const around = Buffer.alloc(headerBytes + 4);
  lz4Format.writeFrame(areaOf(around), headerBytes, libraryBlockBytes);
  return [around.subarray(0, headerBytes), ...parts, around.subarray(headerBytes)];
}
