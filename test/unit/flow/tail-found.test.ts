import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PassJournal } from '../../../src/flow/pass-journal.ts';
import { findCopies, TailFound, type CopyFilter } from '../../../src/flow/tail-found.ts';
import { attributeBits } from '../../../src/records/batch-header.ts';
import { encodeBatch, type BuildOptions } from '../../../src/records/build-batch.ts';
import { originKeyBytes } from '../../../src/records/origin.ts';
import { testDeps } from '../../support/deps.ts';

const copy = { flow: 'east->west', topic: 'orders', partition: 0 };
const filter: CopyFilter = { ...copy, site: 'east', generation: 2, producerIds: new Set([7n]) };

type Kind = 'stamped' | 'older' | 'passed' | 'passedBefore' | 'untold' | 'foreign' | 'marker';
const kinds: readonly Kind[] = [
  'stamped',
  'older',
  'passed',
  'passedBefore',
  'untold',
  'foreign',
  'marker',
];

const length = 3;

/** The journal knows what epochs 1 (of this generation) and 2 (of the one before) wrote. */
async function journalOf(): Promise<PassJournal> {
  const journal = new PassJournal(() => Promise.resolve(), testDeps().clock);
  for (const [producerEpoch, generation] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const producer = { producerId: 7n, producerEpoch };
    const runs = [{ sequence: 0, sourceOffset: 1_000 }];
    await journal.put({ copy, producer, number: 0 }, { generation, runs });
  }
  return journal;
}

/** One batch of three records; the source offset of a copy is its own plus 1,000. */
function batchOf(kind: Kind, baseOffset: number): Buffer {
  const stamp = (offset: number): string => {
    if (kind === 'stamped') return `east/orders/0@${offset + 1_000}#2`;
    if (kind === 'older') return `east/orders/0@${offset + 1_000}`;
    // What an application copied: it counts only in a batch of ours, and never in a passed one.
    return kind === 'foreign' ? 'east/orders/0@5#2' : 'north/orders/0@5';
  };
  const records = Array.from({ length }, (_, index) => ({
    key: null,
    value: null,
    timestampMs: 1,
    headers: [{ key: originKeyBytes, value: Buffer.from(stamp(baseOffset + index)) }],
  }));
  const own = { producerId: 7n, baseSequence: baseOffset };
  const options: Record<Kind, BuildOptions> = {
    stamped: { ...own, producerEpoch: 9 },
    older: { ...own, producerEpoch: 9 },
    passed: { ...own, producerEpoch: 1 },
    passedBefore: { ...own, producerEpoch: 2 },
    untold: { ...own, producerEpoch: 9 },
    foreign: { producerId: 8n, producerEpoch: 1, baseSequence: baseOffset },
    marker: {
      ...own,
      producerEpoch: 1,
      attributes: attributeBits.control | attributeBits.transactional,
    },
  };
  return encodeBatch(records, { ...options[kind], baseOffset });
}

function logOf(some: readonly Kind[]): Buffer {
  return Buffer.concat(some.map((kind, at) => batchOf(kind, at * length)));
}

const whole = { from: 0, to: 1_000 };

describe('what a tail is', () => {
  test('one by one', async () => {
    const journal = await journalOf();
    const facts = (kind: Kind): unknown[] => {
      const found = findCopies(batchOf(kind, 0), whole, filter, journal);
      const { recordsEnd, hasOurs, isCut, isLost } = found;
      return [found.runs.length, recordsEnd, hasOurs, isCut, isLost];
    };
    assert.deepEqual(facts('stamped'), [1, length, true, false, false]);
    assert.deepEqual(facts('older'), [0, length, true, false, false]);
    assert.deepEqual(facts('passed'), [1, length, true, false, false]);
    assert.deepEqual(facts('passedBefore'), [0, length, true, false, false]);
    assert.deepEqual(facts('untold'), [0, length, false, true, true]);
    assert.deepEqual(facts('foreign'), [0, length, false, false, false]);
    assert.deepEqual(facts('marker'), [0, undefined, false, false, false]);
  });

  test('stamps and journal together give the runs, over foreign records and markers', async () => {
    const log = logOf(['passed', 'stamped', 'foreign', 'stamped', 'passed', 'marker', 'passed']);
    const { runs } = findCopies(log, whole, filter, await journalOf());
    assert.deepEqual(runs, [
      { sourceOffset: 1_000, targetOffset: 0, length: 6 },
      { sourceOffset: 1_009, targetOffset: 9, length: 6 },
      { sourceOffset: 1_018, targetOffset: 18, length: 3 },
    ]);
    const { foreign } = findCopies(log, { from: 7, to: 30 }, filter, await journalOf());
    assert.deepEqual(foreign, [{ from: 7, to: 9 }]);
    const part = findCopies(log, { from: 1, to: 11 }, filter, await journalOf());
    assert.deepEqual(part.runs, [
      { sourceOffset: 1_001, targetOffset: 1, length: 5 },
      { sourceOffset: 1_009, targetOffset: 9, length: 2 },
    ]);
  });

  test('a copy that cannot be told cuts off what is before it, and is the end when it is the last', async () => {
    const journal = await journalOf();
    const cut = findCopies(logOf(['passed', 'untold', 'stamped']), whole, filter, journal);
    assert.deepEqual(cut.runs, [{ sourceOffset: 1_006, targetOffset: 6, length: 3 }]);
    assert.deepEqual([cut.isCut, cut.isLost, cut.untold], [true, false, 5]);
    for (const behind of ['foreign', 'marker'] as const) {
      const found = findCopies(logOf(['stamped', 'untold', behind]), whole, filter, journal);
      assert.deepEqual([found.runs, found.isLost], [[], true], behind);
    }
  });

  test('read in parts it is the same as read at once', async () => {
    const journal = await journalOf();
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...kinds), { maxLength: 10 }),
        fc.nat({ max: 30 }),
        fc.nat({ max: 30 }),
        (some, one, other) => {
          const log = logOf(some);
          const [first, second] = [Math.min(one, other), Math.max(one, other)];
          const parts = new TailFound();
          for (const [from, to] of [
            [0, first],
            [first, second],
            [second, 30],
          ] as const) {
            parts.add(findCopies(log, { from, to }, filter, journal));
          }
          assert.deepEqual(parts, findCopies(log, whole, filter, journal));
        },
      ),
      { numRuns: 500 },
    );
  });
});
