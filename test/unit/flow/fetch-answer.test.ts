import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMeshError, type ErrorCode } from '../../../src/base/errors.ts';
import { fetchTrouble } from '../../../src/flow/fetch-answer.ts';
import type { FetchedPartition } from '../../../src/kafka/cluster.ts';
import { encodeBatch } from '../../../src/records/build-batch.ts';

const batch = encodeBatch([{ key: null, value: Buffer.from('v'), timestampMs: 1 }]);

function answer(errorCode: number, records: Buffer = Buffer.of()): FetchedPartition {
  return {
    topic: 'orders',
    partition: 3,
    errorCode,
    highWatermark: 9n,
    lastStableOffset: 9n,
    logStartOffset: 0n,
    aborted: [],
    records,
  };
}

function troubleOf(fetched: FetchedPartition): [ErrorCode, string] | string | undefined {
  const trouble = fetchTrouble(fetched, 7, 'east');
  return isMeshError(trouble) ? [trouble.code, trouble.message] : trouble;
}

test('records, and none, are no trouble; neither is a batch cut off behind a whole one', () => {
  const some = [Buffer.alloc(0), batch, Buffer.concat([batch, batch.subarray(0, 40)])];
  for (const records of some) assert.equal(troubleOf(answer(0, records)), undefined);
});

test('a first batch that is not whole is damage: no fetch would ever bring the rest', () => {
  for (const length of [5, batch.length - 1]) {
    const wanted = `orders/3@7: east gives ${length} bytes of a batch, and never the rest`;
    assert.deepEqual(troubleOf(answer(0, batch.subarray(0, length))), ['batch_corrupt', wanted]);
  }
});

test('what the broker says of its log: each by its own name', () => {
  const place = 'orders/3 at east';
  const wanted: [number, ReturnType<typeof troubleOf>][] = [
    [1, ['source_reset', `${place}: offset 7 is not in the log any more`]],
    [2, ['batch_corrupt', 'orders/3@7: east cannot read its own log']],
    [3, 'stale_leader'],
    [6, 'stale_leader'],
    [29, ['kafka_authorization', `${place}: no permission to read`]],
    [77, ['kafka_request', `${place}: Kafka error 77 on fetch`]],
  ];
  for (const [code, trouble] of wanted) assert.deepEqual(troubleOf(answer(code)), trouble);
});
