import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMeshError } from '../../../src/base/errors.ts';
import {
  isPassKey,
  parsePassKey,
  parsePassValue,
  passKeyText,
  passValue,
  type PassKey,
  type PassRun,
  type PassWindow,
} from '../../../src/flow/pass-form.ts';
import { PassJournal } from '../../../src/flow/pass-journal.ts';
import { PassTenure, runRecordsMax, sequenceModulus } from '../../../src/flow/pass-tenure.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import { testDeps } from '../../support/deps.ts';

const copy = { flow: 'east->west', topic: 'orders', partition: 3 };
const producer = { producerId: 7n, producerEpoch: 2 };
const later = { producerId: 7n, producerEpoch: 3 };
const { signal } = new AbortController();

/** Runs of one tenure: what a run and the hole behind it measure. */
const tenureRuns = fc
  .tuple(
    fc.nat({ max: 2 ** 40 }),
    fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 9 })), {
      minLength: 1,
      maxLength: 20,
    }),
    // As of a tenure that has written far more than sequences can count.
    fc.constantFrom(0, 5, sequenceModulus - 60, 3 * sequenceModulus - 1),
  )
  .map(([first, parts, sequence]) => {
    let at: PassRun = { sequence, sourceOffset: first };
    return parts.map(([length, hole]) => {
      const run = at;
      at = { sequence: run.sequence + length, sourceOffset: run.sourceOffset + length + hole };
      return { run, length };
    });
  });

function inWindows(runs: readonly PassRun[], size: number): PassWindow[] {
  const count = Math.ceil(runs.length / size);
  return Array.from({ length: count }, (_, at) => ({
    generation: 4,
    runs: runs.slice(at * size, (at + 1) * size),
  }));
}

function append(into: StateRecord[]): (records: readonly StateRecord[]) => Promise<void> {
  return (records) => {
    into.push(...records);
    return Promise.resolve();
  };
}

function journal(stored: StateRecord[] = []): PassJournal {
  return new PassJournal(append(stored), testDeps().clock);
}

/** What is stored, as an agent that starts anew reads it: in order, the last of a key counts. */
function reloaded(stored: readonly StateRecord[]): PassJournal {
  const made = journal();
  for (const record of stored) assert.ok(made.load(record));
  return made;
}

function windowOf(sequence: number, sourceOffset: number): PassWindow {
  return { generation: 1, runs: [{ sequence, sourceOffset }] };
}

const batch = { baseSequence: 10, recordCount: 5 };

describe('the stored form of the journal', () => {
  test('is read back as it was written', () => {
    fc.assert(
      fc.property(tenureRuns, fc.integer({ min: 1, max: 9 }), (made, generation) => {
        const window = { generation, runs: made.map(({ run }) => run) };
        assert.deepEqual(parsePassValue('k', passValue(window)), window);
      }),
    );
    const key: PassKey = { copy, producer, number: 12 };
    const text = passKeyText(key);
    assert.ok(isPassKey(text) && !isPassKey('map/1/a'));
    assert.deepEqual(parsePassKey(text), key);
  });

  test('of another kind is state_corrupt, naming the key', () => {
    const value = passValue({
      generation: 1,
      runs: [
        { sequence: 0, sourceOffset: 1_000_000 },
        { sequence: 5, sourceOffset: 1_000_009 },
      ],
    });
    const other = Buffer.from(value);
    other[0] = 9;
    const bad: (() => unknown)[] = [
      () => parsePassKey('pass/1/east->west/orders/3/7/2'),
      () => parsePassKey('pass/1/east->west/orders/x/7/2/0'),
      () => parsePassValue('pass/1/k', other),
      ...Array.from(
        value,
        (_, length) => () => parsePassValue('pass/1/k', value.subarray(0, length)),
      ),
    ];
    for (const parse of bad) {
      assert.throws(
        parse,
        (error) => isMeshError(error, 'state_corrupt') && /pass\/1\//.test(error.message),
      );
    }
  });
});

describe('what is stored of a tenure', () => {
  test('tells the source offsets of every batch that it wrote, in windows of any size', () => {
    fc.assert(
      fc.property(
        tenureRuns,
        fc.integer({ min: 1, max: 7 }),
        fc.nat(),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        (made, size, from, count, forgotten) => {
          const windows = inWindows(
            made.map(({ run }) => run),
            size,
          );
          const tenure = new PassTenure(producer);
          for (const [number, window] of windows.entries()) tenure.put(number, window);
          const kept = forgotten % windows.length;
          for (let number = 0; number < kept; number += 1) tenure.remove(number);
          // Every record of the tenure: its place among those that it wrote, its source offset.
          const offsets = made.flatMap(({ run, length }) =>
            Array.from({ length }, (_, step) => run.sourceOffset + step),
          );
          const first = made[0]!.run.sequence;
          const at = from % offsets.length;
          const wanted = offsets.slice(at, at + count);
          const baseSequence = (first + at) % sequenceModulus;
          const found = tenure.find({ baseSequence, recordCount: wanted.length });
          if (first + at < windows[kept]!.runs[0]!.sequence) {
            assert.equal(found, undefined, 'of what is forgotten nothing is told');
            return;
          }
          const told = found?.runs.flatMap(({ sourceOffset, index, length }) =>
            Array.from({ length }, (_, step) => [index + step, sourceOffset + step]),
          );
          assert.deepEqual(
            told,
            wanted.map((offset, index) => [index, offset]),
          );
          assert.equal(found?.generation, 4);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a run that has not ended goes on, and its sequences begin again at 2^31', () => {
    const tenure = new PassTenure(producer);
    const runs: PassRun[] = [];
    for (let at = 0; at <= 3 * sequenceModulus; at += runRecordsMax) {
      runs.push({ sequence: at, sourceOffset: 1_000 + at });
    }
    tenure.put(0, { generation: 1, runs });
    const last = runs.at(-1)!;
    for (const ahead of [0, 1, 77, runRecordsMax - 1, -5, -runRecordsMax]) {
      const sequence = last.sequence + ahead;
      const found = tenure.find({ baseSequence: sequence % sequenceModulus, recordCount: 1 });
      assert.equal(found?.runs[0]?.sourceOffset, 1_000 + sequence, `${ahead}`);
    }
  });

  test('is not used below a window that is missing', () => {
    const tenure = new PassTenure(producer);
    tenure.put(0, windowOf(0, 100));
    tenure.put(2, windowOf(40, 200));
    assert.equal(tenure.find(batch), undefined);
    assert.equal(tenure.find({ baseSequence: 40, recordCount: 1 })?.runs[0]?.sourceOffset, 200);
    tenure.put(1, windowOf(10, 150));
    assert.equal(tenure.find(batch)?.runs[0]?.sourceOffset, 150);
  });
});

describe('PassJournal', () => {
  test('nothing is known of a window before it is stored', async () => {
    let store = (): void => undefined;
    const stored = new Promise<void>((resolve) => {
      store = resolve;
    });
    const one = new PassJournal(() => stored, testDeps().clock);
    const putting = one.put({ copy, producer, number: 0 }, windowOf(0, 100));
    assert.equal(one.has(copy), false);
    store();
    await putting;
    assert.equal(one.find(copy, producer, batch)?.runs[0]?.sourceOffset, 110);
    assert.equal(one.find(copy, later, batch), undefined, 'another tenure');
    assert.equal(one.find({ ...copy, partition: 4 }, producer, batch), undefined);
  });

  test('is forgotten when its tombstones are stored, not before; the newest window stays', async () => {
    const stored: StateRecord[] = [];
    const one = journal(stored);
    for (const number of [0, 1, 2]) {
      await one.put({ copy, producer, number }, windowOf(number * 10, number * 20));
    }
    one.retire(copy, producer, 2);
    assert.equal(one.find(copy, producer, batch)?.runs[0]?.sourceOffset, 20);
    const tombstones = one.takeRetired();
    assert.deepEqual(
      tombstones.map(({ key, value }) => [parsePassKey(key.toString()).number, value]),
      [
        [0, null],
        [1, null],
      ],
    );
    assert.deepEqual(one.takeRetired(), tombstones, 'until they are stored');
    one.forget(tombstones);
    assert.deepEqual(one.takeRetired(), []);
    assert.equal(one.find(copy, producer, batch), undefined);
    const again = reloaded([...stored, ...tombstones]);
    assert.equal(again.find(copy, producer, { baseSequence: 20, recordCount: 1 })?.runs.length, 1);
  });

  test('a tenure with copies in the log retires those before it: none after, no other partition', async () => {
    const one = journal();
    await one.put({ copy, producer, number: 0 }, windowOf(0, 0));
    const before = one.tenures(copy);
    assert.deepEqual(before, [producer]);
    await one.put({ copy, producer: later, number: 0 }, windowOf(0, 50));
    await one.put({ copy: { ...copy, partition: 4 }, producer, number: 0 }, windowOf(0, 0));
    one.retireAll(copy, before);
    one.forget(one.takeRetired());
    assert.equal(one.find(copy, producer, batch), undefined);
    assert.equal(one.find(copy, later, batch)?.runs[0]?.sourceOffset, 60);
    assert.ok(one.has({ ...copy, partition: 4 }));
    one.retireAll(copy, one.tenures(copy));
    one.forget(one.takeRetired());
    assert.equal(one.has(copy), false);
  });

  test('is the same after a start anew, whoever stored it', async () => {
    const stored: StateRecord[] = [];
    const one = journal(stored);
    await one.put({ copy, producer, number: 0 }, windowOf(0, 100));
    await one.put({ copy, producer, number: 1 }, windowOf(12, 200));
    const found = reloaded(stored).find(copy, producer, batch);
    assert.deepEqual(found, one.find(copy, producer, batch));
    assert.deepEqual(
      found?.runs.map(({ length }) => length),
      [2, 3],
    );
    assert.equal(journal().load({ key: Buffer.from('map/1/x'), value: null }), false);
  });

  test('sync waits for its own mark, behind everything stored before', async () => {
    const stored: StateRecord[] = [];
    const one = journal(stored);
    let isDone = false;
    const done = one.sync(signal).then(() => {
      isDone = true;
    });
    await new Promise(setImmediate);
    const mark = stored[0]!;
    assert.ok(one.load({ ...mark, value: Buffer.from('of somebody else') }));
    await new Promise(setImmediate);
    assert.equal(isDone, false);
    assert.ok(one.load(mark));
    await done;
    const stop = new AbortController();
    const waiting = one.sync(stop.signal);
    stop.abort();
    await assert.rejects(waiting, (error) => isMeshError(error, 'aborted'));
  });
});
