/**
 * The four codecs of record batches, as Java and librdkafka frame them. The records of a batch
 * are the compressed part; its header never is.
 *
 * Reads what either family of clients writes: snappy in xerial frames or as one raw block, lz4
 * and zstd frames with or without sizes and checksums. Writes what all of them read.
 */
import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { decompressFrameSync } from 'lz4-napi';
import snappy from 'snappy';
import type * as ZstdModule from '@toondepauw/node-zstd';
import { errorMessage, MeshError } from '../base/errors.ts';
import { packLz4 } from './lz4-frame.ts';
import { plainBytesMax } from './matched-text.ts';
import { isXerial, xerialHeader } from './snappy-frame.ts';

export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/**
 * Codec of a batch, from the lowest three bits of its attributes. @throws MeshError batch_corrupt
 */
export function codecOf(attributes: number): Codec {
  const found = codecs[attributes & 0b111];
  if (found !== undefined) return found;
  throw new MeshError('batch_corrupt', `unknown codec ${attributes & 0b111}, wanted 0 to 4`);
}

export function codecBits(codec: Codec): number {
  return codecs.indexOf(codec);
}

export function compress(codec: Codec, plain: Buffer): Buffer {
  const parts = compressInParts(codec, plain);
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}

/** The same in parts that stand one behind the other. */
export function compressInParts(codec: Codec, plain: Buffer): readonly Buffer[] {
  switch (codec) {
    case 'none':
      return [plain];
    case 'gzip':
      return [zlib.gzipSync(plain, { level: 6 })];
    case 'snappy':
      return xerial(plain);
    case 'lz4':
      return packLz4(plain);
    case 'zstd':
      return [zstd().compress(plain)];
  }
}

/** @throws MeshError batch_corrupt when the bytes are not of that codec */
export function decompress(codec: Codec, packed: Buffer): Buffer {
  try {
    switch (codec) {
      case 'none':
        return packed;
      case 'gzip':
        return zlib.gunzipSync(packed, { maxOutputLength: plainBytesMax });
      case 'snappy':
        return unsnappy(packed);
      case 'lz4':
        return decompressFrameSync(packed);
      case 'zstd':
        return zstd().decompress(packed);
    }
  } catch (cause) {
    const text = `${codec} data of ${packed.length} bytes cannot be read: ${errorMessage(cause)}`;
    throw new MeshError('batch_corrupt', text, { cause });
  }
}

// --- snappy: Java wraps blocks in a frame of its own ("xerial"), librdkafka writes one raw block

const xerialBlock = 32 * 1024;

function xerial(plain: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [xerialHeader];
  for (let at = 0; at < plain.length; at += xerialBlock) {
    const block = snappy.compressSync(plain.subarray(at, at + xerialBlock));
    const length = Buffer.allocUnsafe(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return parts;
}

function unsnappy(packed: Buffer): Buffer {
  if (!isXerial(packed)) return unsnappyBlock(packed);
  const parts: Buffer[] = [];
  for (let at = xerialHeader.length; at < packed.length;) {
    const length = packed.readInt32BE(at);
    at += 4;
    if (length < 0 || at + length > packed.length) {
      throw new RangeError(`block of ${length} bytes at ${at}`);
    }
    parts.push(unsnappyBlock(packed.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(parts);
}

function unsnappyBlock(block: Buffer): Buffer {
  const plain = snappy.uncompressSync(block);
  // Only `asBuffer: false` gives text.
  return typeof plain === 'string' ? Buffer.from(plain) : plain;
}

// --- zstd: Node has it from 22.15 on; before that a native package

interface Zstd {
  readonly compress: (plain: Buffer) => Buffer;
  readonly decompress: (packed: Buffer) => Buffer;
}

type ZstdPackage = typeof ZstdModule;

/**
 * Within a fortieth of the size that level 3, Kafka's default, gives, at one and a half to two and
 * a half times its speed: docs/benchmarks.md, codecs.
 */
const zstdLevel = 2;
/** The parameter's number in zstd's own API, and in Node's. */
const compressionLevel = 100;
let zstdFound: Zstd | undefined;

function zstd(): Zstd {
  zstdFound ??= nodeZstd() ?? packageZstd();
  return zstdFound;
}

type Sync = (
  bytes: Buffer,
  options: { maxOutputLength?: number; params?: Record<number, number> },
) => Buffer;

function nodeZstd(): Zstd | undefined {
  // Not in the types of Node 20. Where the names are there, they have these documented types.
  const found = zlib as unknown as { zstdCompressSync?: Sync; zstdDecompressSync?: Sync };
  const { zstdCompressSync: pack, zstdDecompressSync: unpack } = found;
  if (pack === undefined || unpack === undefined) return undefined;
  const options = { maxOutputLength: plainBytesMax };
  const level = { params: { [compressionLevel]: zstdLevel } };
  return {
    compress: (plain) => pack(plain, level),
    decompress: (packed) => unpack(packed, options),
  };
}

function packageZstd(): Zstd {
  // Loaded when it is first needed: it is a native module, and Node 22 does without it.
  const require = createRequire(import.meta.url);
  const { Encoder, Decoder } = require('@toondepauw/node-zstd') as ZstdPackage;
  const encoder = new Encoder(zstdLevel);
  const decoder = new Decoder();
  return {
    compress: (plain) => encoder.encodeSync(plain),
    decompress: (packed) => decoder.decodeSync(packed),
  };
}
