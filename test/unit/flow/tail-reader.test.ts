import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PassJournal } from '../../../src/flow/pass-journal.ts';
import type { FlowContext } from '../../../src/flow/flow-context.ts';
import type { LinkShelf } from '../../../src/flow/link-shelf.ts';
import { TailReader } from '../../../src/flow/tail-reader.ts';
import type { FetchRequest } from '../../../src/kafka/cluster.ts';
import { encodeBatch } from '../../../src/records/build-batch.ts';
import { originKeyBytes } from '../../../src/records/origin.ts';
import { testDeps } from '../../support/deps.ts';

function copied(baseOffset: number, count: number, producerId: bigint): Buffer {
  const records = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: null,
    timestampMs: 1,
    headers: [
      { key: originKeyBytes, value: Buffer.from(`east/orders/0@${baseOffset + index + 100}`) },
    ],
  }));
  return encodeBatch(records, { baseOffset, producerId });
}

/** A log that gives one batch a fetch, however much is asked for. */
function readerOf(batches: readonly Buffer[]): TailReader {
  const link = {
    fetch: ({ partitions }: FetchRequest) => {
      const from = Number(partitions[0]?.offset);
      const records = batches.find((batch) => {
        return Number(batch.readBigInt64BE(0)) + batch.readInt32BE(23) >= from;
      });
      const answer = { errorCode: 0, records: records ?? Buffer.alloc(0) };
      return Promise.resolve({ partitions: [answer], release: () => undefined });
    },
  };
  // Only what the reader asks for is there.
  const passes = new PassJournal(() => Promise.resolve(), testDeps().clock);
  const target = { leader: () => 1 };
  const context = { deps: testDeps(), target, passes } as unknown as FlowContext;
  const links = { get: () => Promise.resolve(link) } as unknown as LinkShelf;
  const filter = { flow: 'east->west', site: 'east', topic: 'orders', partition: 0, generation: 1 };
  return new TailReader(
    context,
    links,
    { topic: 'east.orders', partition: 0 },
    { ...filter, producerIds: new Set([7n]) },
  );
}

const { signal } = new AbortController();

test('a tail that comes in several fetches is read whole', async () => {
  const reader = readerOf([copied(0, 5, 7n), copied(5, 5, 7n), copied(10, 5, 7n)]);
  const { runs, recordsEnd } = await reader.read(0, 15, signal);
  assert.deepEqual(runs, [{ sourceOffset: 100, targetOffset: 0, length: 15 }]);
  assert.equal(recordsEnd, 15);
  assert.deepEqual((await reader.last(0, 15, signal)).runs[0]?.length, 15);
});

test('stamps in batches of other producers are not ours', async () => {
  const reader = readerOf([copied(0, 5, 7n), copied(5, 5, 8n)]);
  const { runs } = await reader.read(0, 10, signal);
  assert.deepEqual(runs, [{ sourceOffset: 100, targetOffset: 0, length: 5 }]);
});
