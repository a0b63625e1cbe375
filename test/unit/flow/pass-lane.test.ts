import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeshError } from '../../../src/base/errors.ts';
import { PassJournal } from '../../../src/flow/pass-journal.ts';
import { PassLane } from '../../../src/flow/pass-lane.ts';
import { runRecordsMax } from '../../../src/flow/pass-tenure.ts';
import { SendWindow, type Pending } from '../../../src/flow/send-window.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import type { StampedBatch } from '../../../src/records/stamped-batch.ts';
import { testDeps } from '../../support/deps.ts';

const copy = { flow: 'east->west', topic: 'orders', partition: 0 };
const producer = { producerId: 7n, producerEpoch: 1 };

function batchFrom(sourceOffset: number, recordCount = 10): StampedBatch {
  const bytes = Buffer.alloc(61);
  bytes[16] = 2;
  return {
    bytes,
    recordCount,
    runs: [{ sourceOffset, index: 0, length: recordCount }],
    nextSourceOffset: sourceOffset + recordCount,
    maxTimestamp: 1,
    release: () => undefined,
  };
}

class Bench {
  readonly stored: StateRecord[] = [];
  readonly window = new SendWindow(producer, () => false);
  readonly troubles: MeshError[] = [];
  readonly journal: PassJournal;
  readonly lane: PassLane;
  released = 0;
  #open: (() => void) | undefined;
  /** What the next append ends with. */
  failure: MeshError | undefined;

  constructor() {
    const append = (records: readonly StateRecord[]): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#open = () => {
          if (this.failure !== undefined) {
            reject(this.failure);
            return;
          }
          this.stored.push(...records);
          resolve();
        };
      });
    this.journal = new PassJournal(append, testDeps().clock);
    this.lane = new PassLane({
      journal: this.journal,
      copy,
      generation: 1,
      producer,
      window: this.window,
      onReleased: () => (this.released += 1),
      onTrouble: (trouble) => this.troubles.push(trouble),
    });
  }

  get isStoring(): boolean {
    return this.#open !== undefined;
  }

  /** The append that is open is answered. */
  async store(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    open?.();
    await new Promise(setImmediate);
  }

  sent(): Pending[] {
    const sent: Pending[] = [];
    for (let next = this.window.next(); next !== undefined; next = this.window.next()) {
      sent.push(next);
    }
    return sent;
  }

  acknowledge(pending: Pending): void {
    this.window.acknowledged(pending);
    this.lane.acknowledged(pending.batch);
  }
}

test('nothing is sent before the journal has it; then a topic without holes costs no more', async () => {
  const bench = new Bench();
  bench.lane.push(batchFrom(100));
  bench.lane.push(batchFrom(110));
  assert.deepEqual(bench.sent(), []);
  await bench.store();
  assert.equal(bench.released, 1);
  const sent = bench.sent();
  assert.deepEqual(
    sent.map(({ baseSequence }) => baseSequence),
    [0, 10],
  );
  for (const pending of sent) bench.acknowledge(pending);
  for (let at = 12; at < 100; at += 1) {
    bench.lane.push(batchFrom(at * 10));
    assert.equal(bench.isStoring, false);
    for (const pending of bench.sent()) bench.acknowledge(pending);
  }
  assert.equal(bench.stored.length, 1);
});

test('batches behind a hole wait, those before it go on, and one record tells of many holes', async () => {
  const bench = new Bench();
  bench.lane.push(batchFrom(0));
  await bench.store();
  bench.lane.push(batchFrom(10));
  bench.lane.push(batchFrom(25));
  assert.equal(bench.sent().length, 2, 'those before the hole');
  for (const offset of [35, 50, 65, 80]) bench.lane.push(batchFrom(offset));
  assert.deepEqual(bench.sent(), []);
  await bench.store();
  assert.equal(bench.sent().length, 2, '25 was being stored, and 35 goes on from it');
  await bench.store();
  assert.equal(bench.isStoring, false);
  assert.equal(bench.stored.length, 3, 'the holes that came meanwhile are stored together');
  const found = bench.journal.find(copy, producer, { baseSequence: 35, recordCount: 20 });
  assert.deepEqual(found?.runs, [
    { sourceOffset: 40, index: 0, length: 5 },
    { sourceOffset: 50, index: 5, length: 10 },
    { sourceOffset: 65, index: 15, length: 5 },
  ]);
});

test('a journal that cannot be kept ends the tenure, and nothing more is sent', async () => {
  const bench = new Bench();
  bench.failure = new MeshError('kafka_unavailable', 'no leader');
  bench.lane.push(batchFrom(0));
  await bench.store();
  assert.deepEqual(bench.troubles, [bench.failure]);
  assert.deepEqual([bench.sent(), bench.released], [[], 0]);
});

test('a window broken off while the journal is being stored stays so', async () => {
  const bench = new Bench();
  bench.lane.push(batchFrom(0));
  await bench.window.breakOff();
  await bench.store();
  assert.deepEqual([bench.sent(), bench.troubles], [[], []]);
});

test('windows are retired when all that they speak of is acknowledged, but for the newest', async () => {
  const bench = new Bench();
  for (const offset of [0, 20, 40]) {
    bench.lane.push(batchFrom(offset));
    await bench.store();
  }
  const numbers = (): (string | undefined)[] =>
    bench.journal.takeRetired().map(({ key }) => key.toString().split('/').at(-1));
  const sent = bench.sent();
  bench.acknowledge(sent[0]!);
  assert.deepEqual(numbers(), [], 'the last record acknowledged is told of by the first');
  bench.acknowledge(sent[1]!);
  assert.deepEqual(numbers(), ['0']);
  bench.acknowledge(sent[2]!);
  assert.deepEqual(numbers(), ['0', '1']);
});

test('a run begins anew before its sequences could be taken for those of a turn before', async () => {
  const bench = new Bench();
  const size = runRecordsMax / 2;
  for (let at = 0; at < 3; at += 1) {
    bench.lane.push(batchFrom(at * size, size));
    await bench.store();
    for (const pending of bench.sent()) bench.acknowledge(pending);
  }
  assert.equal(bench.stored.length, 2);
});
