/** `node --import tsx test/bench/stamp.ts`: stamping in pure memory, records and bytes a second. */
import { nextTurn } from '../../src/base/clock.ts';
import { BufferPool } from '../../src/base/buffer-pool.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { Stamper } from '../../src/records/stamper.ts';
import type { Codec } from '../../src/records/codecs.ts';

const repeats = 5;
const pieceBytes = 1024 * 1024;

/** Letters at random: what a codec makes of text without repetition. */
function letters(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => 65 + Math.floor(Math.random() * 26)));
}

async function measure(valueBytes: number, perBatch: number, codec: Codec): Promise<void> {
  const batches: Buffer[] = [];
  let offset = 1_000_000;
  for (let bytes = 0; bytes < 4 * 1024 * 1024; bytes += valueBytes * perBatch) {
    const records = Array.from({ length: perBatch }, (_, index) => ({
      key: null,
      value: letters(valueBytes),
      timestampMs: 1_700_000_000_000 + index,
    }));
    batches.push(encodeBatch(records, { baseOffset: offset, codec }));
    offset += perBatch;
  }
  const fetch = Buffer.concat(batches);
  const stamper = new Stamper({
    site: 'east',
    topic: 'orders',
    partition: 3,
    generation: 1,
    batchBytesMax: 896 * 1024,
    codec: 'source',
    pool: new BufferPool(),
  });
  const rates: string[] = [];
  for (let repeat = 0; repeat <= repeats; repeat += 1) {
    let records = 0;
    let bytes = 0;
    const from = performance.now();
    while (performance.now() - from < 700) {
      for (const piece of stamper.pieces(fetch, 0, [], pieceBytes)) {
        for (const batch of piece.batches) {
          records += batch.recordCount;
          bytes += batch.bytes.length;
          batch.release();
        }
        await nextTurn();
      }
    }
    const seconds = (performance.now() - from) / 1000;
    const rate = `${(records / seconds / 1e6).toFixed(2)} M rec/s ${(bytes / seconds / 1e6).toFixed(0)} MB/s`;
    if (repeat > 0) rates.push(rate);
  }
  process.stdout.write(`${valueBytes} B x ${perBatch} ${codec}: ${rates.join(' | ')}\n`);
}

await measure(100, 500, 'none');
await measure(1024, 500, 'none');
await measure(100, 16, 'none');
await measure(1024, 100, 'lz4');
await measure(1024, 100, 'zstd');
