import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Asked } from '../../../src/flow/asked.ts';
import type { PartitionCopy } from '../../../src/flow/partition-copy.ts';

/** What is asked of a partition here. */
class Copy {
  readonly id;
  readonly unchangedAt: number[] = [];
  fetchLife = { topicId: 'x', leaderEpoch: 3 };
  fetchPosition: number;

  constructor(partition: number, fetchPosition: number) {
    this.id = { topic: 't', partition };
    this.fetchPosition = fetchPosition;
  }

  onUnchanged(offset: number): void {
    this.unchangedAt.push(offset);
  }
}

// The rest of a partition is not asked for.
const as = (copies: readonly Copy[]): PartitionCopy[] => copies as unknown as PartitionCopy[];
const answerOf = (partition: number): Parameters<Asked['answered']>[0] => ({
  ...{ topic: 't', partition, errorCode: 0, highWatermark: 0n, lastStableOffset: 0n },
  ...{ logStartOffset: 0n, aborted: [], records: Buffer.alloc(0) },
});

test('while nothing moves, the very same list is asked for again', () => {
  const copies = [new Copy(0, 5), new Copy(1, 6)];
  const first = new Asked(as(copies), 100);
  assert.ok(first.answered(answerOf(1)) !== undefined);
  const second = first.again(as(copies), 100);
  assert.equal(second.partitions, first.partitions);
  // The answers of the last time count no more.
  second.tellUnchanged();
  assert.deepEqual(
    copies.map(({ unchangedAt }) => unchangedAt),
    [[5], [6]],
  );
});

const changes: readonly (readonly [string, (copies: Copy[]) => void])[] = [
  ['one has moved on', ([first]) => first && (first.fetchPosition = 9)],
  ['one is fetched from another leader', ([first]) => first && (first.fetchLife = life(4, 'x'))],
  ['one is another life of its topic', ([first]) => first && (first.fetchLife = life(3, 'y'))],
  ['one is gone', (copies) => copies.pop()],
  ['one has come', (copies) => copies.push(new Copy(2, 0))],
  ['one is copied anew', (copies) => copies.splice(0, 1, new Copy(0, 5))],
  ['their order is another', (copies) => copies.reverse()],
];

function life(leaderEpoch: number, topicId: string): Copy['fetchLife'] {
  return { topicId, leaderEpoch };
}

for (const [what, change] of changes) {
  test(`another list is asked for when ${what}`, () => {
    const copies = [new Copy(0, 5), new Copy(1, 6)];
    const first = new Asked(as(copies), 100);
    change(copies);
    const second = first.again(as(copies), 100);
    assert.notEqual(second.partitions, first.partitions);
    assert.deepEqual(second.partitions, new Asked(as(copies), 100).partitions);
  });
}

test('another list is asked for when less is to be answered', () => {
  const copies = [new Copy(0, 5)];
  const first = new Asked(as(copies), 100);
  assert.deepEqual(
    first.again(as(copies), 50).partitions.map(({ bytesMax }) => bytesMax),
    [50],
  );
});
