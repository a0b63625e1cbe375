import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  changed,
  copyBreaches,
  lost,
  outOfOrder,
  stampedFrom,
  twice,
  wronglyTranslated,
  type CopiedPartition,
} from '../../support/checkers.ts';
import type { DecodedRecord } from '../../../src/records/decode-records.ts';

const header = (key: string, value: string) => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
});

function record(
  offset: number,
  content: number,
  extra: Partial<DecodedRecord> = {},
): DecodedRecord {
  return {
    offset,
    timestampMs: 1_000 + content,
    key: Buffer.from(`k${content}`),
    value: content % 3 === 0 ? null : Buffer.from(`v${content}`),
    headers: [header('trace', String(content))],
    producerId: -1n,
    isTransactional: false,
    ...extra,
  };
}

/** The copy at `offset` of the record that stands at `from` in the source. */
function copy(offset: number, from: number, generation = ''): DecodedRecord {
  const stamp = header('causeway-origin', `east/orders/3@${from}${generation}`);
  return record(offset, from, { headers: [...record(from, from).headers, stamp] });
}

/** Source 0..4 with a hole at 2; the copy starts at 10, with a marker's gap at 12. */
const source = [0, 1, 3, 4].map((offset) => record(offset, offset));
const good = [copy(10, 0), copy(11, 1), copy(13, 3), copy(14, 4)];
const originOf = stampedFrom('east', 'orders', 3);
const partition = (target: DecodedRecord[]): CopiedPartition => ({ source, target, originOf });

test('a good copy has no breach', () => {
  assert.deepEqual(copyBreaches(partition(good)), []);
});

describe('nothing lost', () => {
  test('names what is missing', () => {
    assert.deepEqual(lost(partition(good.filter(({ offset }) => offset !== 11))), [
      'source@1 is not at the target',
    ]);
  });
  test('a copy of another partition is not ours', () => {
    const foreign = record(15, 5, { headers: [header('causeway-origin', 'east/orders/4@5')] });
    assert.deepEqual(lost(partition([...good, foreign])), ["target@15 is nobody's copy"]);
    assert.deepEqual(lost(partition([...good, record(15, 5)])), ["target@15 is nobody's copy"]);
  });
  test('a copy of what the source does not have', () => {
    assert.deepEqual(lost(partition([...good, copy(15, 9)])), [
      'target@15 is a copy of source@9: not there',
    ]);
  });
  test('a copy from an earlier life of the topic does not count', () => {
    const mixed = { ...partition([copy(10, 0), copy(11, 0, '#2')]), source: [record(0, 0)] };
    assert.deepEqual(lost({ ...mixed, generation: 2 }), []);
    assert.deepEqual(lost({ ...mixed, generation: 3 }), ['source@0 is not at the target']);
  });
});

test('nothing twice: names both places', () => {
  assert.deepEqual(twice(partition([...good, copy(15, 4)])), ['source@4 is at target@14 and @15']);
  assert.deepEqual(twice(partition([copy(10, 0), copy(11, 0, '#2')])), []);
});

test('order: a copy behind its predecessor, or of an earlier life', () => {
  const swapped = [copy(10, 0), copy(11, 3), copy(12, 1), copy(13, 4)];
  assert.deepEqual(outOfOrder(partition(swapped)), ['target@12: source@1 after @3']);
  assert.equal(outOfOrder(partition([copy(10, 0, '#2'), copy(11, 4)])).length, 1);
  assert.deepEqual(outOfOrder(partition([copy(10, 4), copy(11, 0, '#2')])), []);
});

describe('unchanged', () => {
  const breaches = (extra: Partial<DecodedRecord>): string[] =>
    changed(partition([{ ...copy(11, 1), ...extra }]), 1);
  const stamp = header('causeway-origin', 'east/orders/3@1');

  test('a key, value or timestamp that differs, null and empty not being the same', () => {
    const where = 'source@1 and target@11 differ in';
    assert.deepEqual(breaches({ key: null }), [`${where} key`]);
    assert.deepEqual(breaches({ value: Buffer.alloc(0), timestampMs: 1 }), [
      `${where} value, timestamp`,
    ]);
    const empty = { ...copy(13, 3), value: Buffer.alloc(0) };
    assert.equal(changed(partition([empty]), 1).length, 1);
  });
  test('a header lost, changed, moved or added', () => {
    for (const headers of [
      [stamp],
      [header('trace', 'other'), stamp],
      [stamp, header('trace', '1')],
      [header('trace', '1'), header('more', ''), stamp],
      [header('trace', '1'), stamp, stamp],
    ]) {
      assert.deepEqual(breaches({ headers }), ['source@1 and target@11 differ in headers']);
    }
  });
});

describe('no translation ahead', () => {
  const check = (from: number, to: number, certainty: 'exact' | 'lower_bound' = 'exact') =>
    wronglyTranslated([{ source: from, target: to, certainty }], partition(good));

  test('every exact answer that is right, in a gap too', () => {
    for (const [from, to] of [
      [0, 10],
      [1, 11],
      [2, 12],
      [2, 13],
      [3, 13],
      [5, 15],
    ] as const) {
      assert.deepEqual(check(from, to), []);
    }
  });
  test('past an unread record: never allowed', () => {
    assert.match(check(1, 12)[0] ?? '', /ahead of unread source@1 at @11/);
    assert.match(check(1, 12, 'lower_bound')[0] ?? '', /ahead/);
  });
  test('before a read record: only as a lower bound', () => {
    assert.match(check(4, 13)[0] ?? '', /read source@3 is at @13/);
    assert.deepEqual(check(4, 13, 'lower_bound'), []);
  });
});
