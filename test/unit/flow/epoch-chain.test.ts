import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EpochChain, findDivergence, type LeaderLog } from '../../../src/flow/epoch-chain.ts';
import { encodeBatch } from '../../../src/records/build-batch.ts';

interface Entry {
  readonly epoch: number;
  readonly from: number;
}

/** Answers as brokers do: see LeaderEpochFileCache.endOffsetFor of Kafka. */
function leaderLog(
  entries: readonly Entry[],
  end: number,
  holes: readonly number[] = [],
): LeaderLog {
  return {
    ask: (epoch) => {
      const higher = entries.find((one) => one.epoch > epoch);
      const floor = entries.findLast((one) => one.epoch <= epoch);
      if (higher === undefined) {
        const isKnown = floor?.epoch === epoch;
        return Promise.resolve(isKnown ? { epoch, end } : { epoch: -1, end: -1 });
      }
      return Promise.resolve({ epoch: floor?.epoch ?? epoch, end: higher.from });
    },
    hasBatchIn: (from, to) =>
      Promise.resolve(
        Array.from({ length: to - from }, (_, at) => from + at).some(
          (offset) => offset < end && !holes.includes(offset),
        ),
      ),
  };
}

const read = new EpochChain([
  { epoch: 2, from: 0 },
  { epoch: 5, from: 100 },
]);

describe('where a log stops to be the one that was read', () => {
  const cases: readonly (readonly [string, readonly Entry[], number, number | undefined])[] = [
    [
      'it only grew',
      [
        { epoch: 2, from: 0 },
        { epoch: 5, from: 100 },
      ],
      900,
      undefined,
    ],
    [
      'its leader changed, nothing else',
      [
        { epoch: 2, from: 0 },
        { epoch: 5, from: 100 },
        { epoch: 6, from: 150 },
      ],
      400,
      undefined,
    ],
    [
      'cut within the last epoch, then grown past where it was',
      [
        { epoch: 2, from: 0 },
        { epoch: 5, from: 100 },
        { epoch: 6, from: 120 },
      ],
      400,
      120,
    ],
    [
      'the last epoch is gone as a whole',
      [
        { epoch: 2, from: 0 },
        { epoch: 6, from: 80 },
      ],
      400,
      80,
    ],
    [
      'an older leader came back, with records of its own',
      [
        { epoch: 2, from: 0 },
        { epoch: 6, from: 300 },
      ],
      400,
      100,
    ],
    ['nothing of it is known', [{ epoch: 9, from: 0 }], 400, 0],
  ];
  for (const [what, entries, end, wanted] of cases) {
    test(what, async () => {
      assert.equal(await findDivergence(read, 150, leaderLog(entries, end)), wanted);
    });
  }

  test('a log whose records of an epoch were compacted away is the same', async () => {
    const gone = Array.from({ length: 50 }, (_, at) => 100 + at);
    const entries = [
      { epoch: 2, from: 0 },
      { epoch: 6, from: 300 },
    ];
    assert.equal(await findDivergence(read, 150, leaderLog(entries, 400, gone)), undefined);
  });

  test('without any epoch known nothing can be told', async () => {
    assert.equal(await findDivergence(new EpochChain([]), 150, leaderLog([], 0)), undefined);
  });
});

test('epochs are noted once, from the first offset that was asked for on', () => {
  const chain = new EpochChain([]);
  const batch = (baseOffset: number, epoch: number): Buffer => {
    const one = { key: null, value: Buffer.from('v'), timestampMs: 1 };
    const bytes = encodeBatch([one, one], { baseOffset });
    bytes.writeInt32BE(epoch, 12);
    return bytes;
  };
  const records = Buffer.concat([batch(10, 3), batch(12, 3), batch(14, 4)]);
  assert.deepEqual(chain.note(records, 11), [
    { epoch: 3, from: 11 },
    { epoch: 4, from: 14 },
  ]);
  assert.deepEqual(chain.note(records, 11), []);
  assert.deepEqual([chain.before(11), chain.before(14), chain.before(15)], [undefined, 3, 4]);
});
