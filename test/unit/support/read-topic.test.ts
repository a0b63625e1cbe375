import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodedBatch, DecodedRecord } from '../../../src/records/decode-records.ts';
import { recordsOf } from '../../support/read-topic.ts';

function batch(offset: number, producerId: bigint, kind: 'plain' | 'transaction'): DecodedBatch {
  const isTransactional = kind === 'transaction';
  const record: DecodedRecord = {
    offset,
    timestampMs: 0,
    key: null,
    value: null,
    headers: [],
    producerId,
    isTransactional,
  };
  return { isControl: false, isTransactional, producerId, lastOffset: offset, records: [record] };
}

function marker(offset: number, producerId: bigint, type: 'abort' | 'commit'): DecodedBatch {
  const made = batch(offset, producerId, 'transaction');
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0]);
  return { ...made, isControl: true, records: made.records.map((record) => ({ ...record, key })) };
}

const log = [
  batch(0, 7n, 'transaction'), // committed
  batch(1, 8n, 'transaction'), // aborted
  batch(2, -1n, 'plain'),
  marker(3, 8n, 'abort'),
  batch(4, 8n, 'transaction'), // committed, by the same producer
  marker(5, 7n, 'commit'),
  marker(6, 8n, 'commit'),
  marker(7, 9n, 'abort'), // a fence: of nothing
  batch(8, 7n, 'transaction'), // still open
];
const offsets = (isolation: 'committed' | 'uncommitted'): number[] =>
  recordsOf(log, isolation).map(({ offset }) => offset);

test('committed: what has a commit marker behind it, in the order of the log', () => {
  assert.deepEqual(offsets('committed'), [0, 2, 4]);
});

test('uncommitted: all but markers', () => {
  assert.deepEqual(offsets('uncommitted'), [0, 1, 2, 4, 8]);
});
