/**
 * What compressing a stamped batch costs, codec by codec and level by level, in pure memory: why
 * the levels are what they are.
 */
import zlib from 'node:zlib';
import { createRequire } from 'node:module';
import type * as ZstdModule from '@toondepauw/node-zstd';
import { nextTurn } from '../../src/base/clock.ts';
import { compress, decompress, type Codec } from '../../src/records/codecs.ts';
import { Seeded } from '../support/seeded.ts';
import { table } from './report.ts';

const recordBytes = 1024;
const records = 850;
const measureMs = 500;

type Text = (bytes: number) => Buffer;

function texts(): Readonly<Record<string, Text>> {
  const seeded = new Seeded(1);
  const random = (): number => seeded.next();
  const letters: Text = (bytes) =>
    Buffer.from(Array.from({ length: bytes }, () => 65 + Math.floor(random() * 26)));
  const words = Array.from({ length: 2_000 }, () =>
    letters(3 + Math.floor(random() * 8)).toString(),
  );
  const prose: Text = (bytes) => {
    let text = '';
    // The first words come far more often than the last, as in a language.
    while (text.length < bytes) text += `${words[Math.floor(2_000 * random() ** 3)] ?? ''} `;
    return Buffer.from(text.slice(0, bytes));
  };
  return { letters, words: prose };
}

/** Records as they stand in a stamped batch. */
function batchOf(text: Text): Buffer {
  const parts = Array.from({ length: records }, (_, index) => [
    text(recordBytes),
    Buffer.from(`causeway-origin.east/orders/3@${1_000_000 + index}`),
  ]);
  return Buffer.concat(parts.flat());
}

/** Megabytes of plain records per CPU-second. */
async function rate(bytes: number, work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  let done = 0;
  while (performance.now() - startedAt < measureMs) {
    work();
    done += 1;
    await nextTurn(); // Native memory is freed between turns.
  }
  const { user, system } = process.cpuUsage(before);
  return (bytes * done) / (user + system);
}

export async function codecs(): Promise<string> {
  const { Encoder } = createRequire(import.meta.url)('@toondepauw/node-zstd') as typeof ZstdModule;
  const rows: string[][] = [];
  for (const [name, text] of Object.entries(texts())) {
    const plain = batchOf(text);
    const row = async (
      what: string,
      pack: (bytes: Buffer) => Buffer,
      codec: Codec,
    ): Promise<void> => {
      const packed = pack(plain);
      const packing = await rate(plain.length, () => pack(plain));
      const unpacking = await rate(plain.length, () => decompress(codec, packed));
      const share = (packed.length / plain.length).toFixed(3);
      rows.push([name, what, share, packing.toFixed(0), unpacking.toFixed(0)]);
    };
    for (const codec of ['lz4', 'snappy', 'zstd', 'gzip'] as const) {
      await row(`${codec} as written`, (bytes) => compress(codec, bytes), codec);
    }
    for (const level of [-1, 1, 2, 3]) {
      const encoder = new Encoder(level);
      await row(`zstd ${level}`, (bytes) => encoder.encodeSync(bytes), 'zstd');
    }
    for (const level of [1, 6]) {
      await row(`gzip ${level}`, (bytes) => zlib.gzipSync(bytes, { level }), 'gzip');
    }
  }
  return table(['records', 'codec', 'size', 'MB per CPU-s in', 'MB per CPU-s out'], rows);
}
