import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitTable, logPartitionOf } from '../../../src/groups/commit-table.ts';
import { WireWriter } from '../../../src/kafka/wire-writer.ts';
import type { DecodedBatch, DecodedRecord } from '../../../src/records/decode-records.ts';

function commitKey(group: string, partition: number): Buffer {
  return new WireWriter().int16(1).string(group).string('orders').int32(partition).bytes;
}

function commitValue(offset: number, version = 3): Buffer {
  const writer = new WireWriter().int16(version).int64(BigInt(offset)).int32(1);
  return writer.string('').int64(0n).bytes;
}

interface Written {
  readonly group?: string;
  readonly partition?: number;
  /** null: deleted. */
  readonly offset: number | null;
  readonly producerId?: bigint;
  readonly version?: number;
}

/** A log of one record a batch, replayed into a table. */
class Log {
  readonly unreadable: string[] = [];
  readonly table: CommitTable;
  #next = 0;

  constructor(heldMax?: number) {
    const options = heldMax === undefined ? {} : { heldMax };
    this.table = new CommitTable('log', (group) => this.unreadable.push(group), options);
  }

  write({ group = 'g', partition = 0, offset, producerId, version }: Written): void {
    const value = offset === null ? null : commitValue(offset, version);
    this.#append(commitKey(group, partition), value, producerId, false);
  }

  end(producerId: bigint, how: 'commit' | 'abort'): void {
    const key = Buffer.from([0, 0, 0, how === 'commit' ? 1 : 0]);
    this.#append(key, Buffer.alloc(6), producerId, true);
  }

  offset(group = 'g', partition = 0): number | undefined {
    const found = this.table.commits(0, group).get(`orders/${partition}`);
    return found && Number(found.offset);
  }

  #append(
    key: Buffer,
    value: Buffer | null,
    producer: bigint | undefined,
    isControl: boolean,
  ): void {
    const producerId = producer ?? -1n;
    const isTransactional = producer !== undefined;
    const offset = this.#next;
    this.#next += 1;
    const record: DecodedRecord = {
      offset,
      timestampMs: 0,
      key,
      value,
      headers: [],
      producerId,
      isTransactional,
    };
    const batch: DecodedBatch = {
      isControl,
      isTransactional,
      producerId,
      lastOffset: offset,
      records: [record],
    };
    this.table.apply(0, batch);
  }
}

test('the last commit counts; deleted is deleted; what changed is told once', () => {
  const log = new Log();
  log.write({ offset: 5 });
  log.write({ offset: 3 });
  log.write({ partition: 1, offset: 8 });
  log.write({ partition: 1, offset: null });
  assert.equal(log.offset(), 3);
  assert.equal(log.offset('g', 1), undefined);
  const changed = [...log.table.takeChanged(0)].map(([group, keys]) => [group, [...keys]]);
  assert.deepEqual(changed, [['g', ['orders/0', 'orders/1']]]);
  assert.equal(log.table.takeChanged(0).size, 0);
  log.write({ offset: null });
  assert.deepEqual([...log.table.groups(0)], []);
});

test('offsets of a transaction count from its commit on, aborted ones never', () => {
  const log = new Log();
  log.write({ offset: 1 });
  log.write({ offset: 10, producerId: 7n });
  log.write({ offset: 20, producerId: 8n, group: 'h' });
  assert.equal(log.offset(), 1);
  log.end(8n, 'abort');
  assert.equal(log.offset('h'), undefined);
  log.end(7n, 'commit');
  assert.equal(log.offset(), 10);
  assert.equal(log.table.heldCount, 0);
});

test('an open transaction holds back neither other groups nor its own', () => {
  const log = new Log();
  log.write({ offset: 10, producerId: 7n });
  log.write({ offset: 2 });
  log.write({ offset: 3, group: 'h' });
  log.write({ offset: 4, group: 'i', producerId: 9n });
  log.end(9n, 'commit');
  assert.deepEqual([log.offset(), log.offset('h'), log.offset('i')], [2, 3, 4]);
  // It stands before the commit of 2 in the log, and so is older.
  log.end(7n, 'commit');
  assert.equal(log.offset(), 2);
});

test('a commit that is deleted is not brought back by a transaction that was open', () => {
  const log = new Log();
  log.write({ offset: 10, producerId: 7n });
  log.write({ offset: null });
  log.end(7n, 'commit');
  assert.equal(log.offset(), undefined);
});

test('a group with an unreadable commit is asked until it is replaced, and told whole then', () => {
  const log = new Log();
  log.write({ partition: 1, offset: 4 });
  log.write({ offset: 5, version: 9 });
  log.write({ offset: 6, group: 'h' });
  log.table.takeChanged(0);
  assert.deepEqual(log.table.asked(), ['g']);
  assert.deepEqual(log.unreadable, ['g']);
  assert.equal(log.table.unreadableCount, 1);
  log.write({ offset: 7 });
  assert.deepEqual(log.table.asked(), []);
  assert.deepEqual([...(log.table.takeChanged(0).get('g') ?? [])].sort(), ['orders/0', 'orders/1']);
});

test('what open transactions may hold is bounded: beyond, groups are asked', () => {
  const log = new Log(2);
  for (const partition of [0, 1, 2]) log.write({ partition, offset: 9, producerId: 7n });
  assert.equal(log.table.heldCount, 2);
  assert.deepEqual(log.table.asked(), ['g']);
});

test('a partition of the log that is read anew takes its groups with it', () => {
  const log = new Log();
  log.write({ offset: 1 });
  log.write({ offset: 1, version: 9, group: 'h' });
  log.write({ offset: 2, producerId: 7n });
  log.table.clear(0);
  assert.equal(log.table.groupCount, 0);
  assert.equal(log.table.heldCount, 0);
  assert.deepEqual(log.table.asked(), []);
});

test('the partition of a group is what the coordinators take', () => {
  // Java: Math.abs("billing".hashCode()) % 50, and the one text whose hash has no absolute value.
  assert.equal(logPartitionOf('billing', 50), 9);
  assert.equal(logPartitionOf('polygenelubricants', 50), 0);
  assert.equal(logPartitionOf('', 50), 0);
});
