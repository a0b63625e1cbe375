import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startPositions, startReport } from '../../../src/client/consumer/start-report.ts';
import type { TranslateAnswer, TranslatedPosition } from '../../../src/groups/answer.ts';
import { exactAnswer } from '../../support/exact-answer.ts';

function translated(
  partition: number,
  offset: bigint | undefined,
  more: Partial<TranslatedPosition> = {},
): TranslatedPosition {
  return {
    source: { topic: 'orders', partition, offset: 7n },
    target: { topic: 'east.orders', partition, offset },
    certainty: offset === undefined ? 'unknown' : 'exact',
    reason: offset === undefined ? 'no_map' : 'in_run',
    notHereAtLeast: 3n,
    reread: 0n,
    skipped: 0n,
    generation: 1,
    ...more,
  };
}

function answer(...positions: TranslatedPosition[]): TranslateAnswer {
  return exactAnswer({ positions });
}

const at = (partition: number, committed?: bigint) => ({
  topic: 'east.orders',
  partition,
  committed,
});

describe('where a group goes on', () => {
  test('what agents committed keeps the certainty that they gave it', () => {
    const told = translated(0, 9n, { certainty: 'lower_bound', reason: 'coarsened', reread: 4n });
    const [found] = startPositions([at(0, 9n)], [answer(told)], 'home');
    assert.deepEqual(found, {
      topic: 'east.orders',
      partition: 0,
      offset: 9n,
      how: 'committed',
      certainty: 'lower_bound',
      reason: 'coarsened',
      reread: 4n,
      skipped: 0n,
      notHereAtLeast: 3n,
    });
  });

  test('what the group has committed here since is its own', () => {
    const [found] = startPositions([at(0, 12n)], [answer(translated(0, 9n))], 'home');
    assert.deepEqual(
      [found?.offset, found?.how, found?.reason, found?.reread],
      [12n, 'committed', 'same_log', 0n],
    );
  });

  test('without a commit: the earliest of what is translated', () => {
    const answers = [answer(translated(0, 9n)), answer(translated(0, 5n), translated(1, 2n))];
    const found = startPositions([at(0), at(1)], answers, 'home');
    assert.deepEqual(
      found.map(({ offset, how }) => [offset, how]),
      [
        [5n, 'translated'],
        [2n, 'translated'],
      ],
    );
  });

  test('nothing known of it: the first record, and nothing was read before', () => {
    const [found] = startPositions([at(0)], [], 'home');
    assert.deepEqual(
      [found?.offset, found?.how, found?.certainty, found?.reread],
      [undefined, 'earliest', 'exact', 0n],
    );
  });

  test('known and not to be translated: the first record, and nobody knows what that repeats', () => {
    const [found] = startPositions([at(0)], [answer(translated(0, undefined))], 'home');
    assert.deepEqual(
      [found?.offset, found?.how, found?.certainty, found?.reason, found?.reread],
      [undefined, 'earliest', 'unknown', 'no_map', undefined],
    );
    const both = [answer(translated(0, undefined)), answer(translated(0, 4n))];
    assert.equal(startPositions([at(0)], both, 'home')[0]?.offset, 4n);
    assert.equal(startPositions([at(0)], both.reverse(), 'home')[0]?.offset, 4n);
  });

  test('nobody asked: what stands there is a lower bound', () => {
    const [found] = startPositions([at(0, 9n)], [], 'synced');
    assert.deepEqual(
      [found?.offset, found?.how, found?.certainty, found?.reason],
      [9n, 'synced', 'lower_bound', undefined],
    );
  });

  test('the report sums up', () => {
    const facts = { group: 'billing', site: 'west', from: 'east', basis: 'home', why: '' } as const;
    const bounded = translated(1, 2n, { certainty: 'lower_bound', reread: 4n });
    const answers = [answer(translated(0, 9n), bounded)];
    const good = startReport(facts, startPositions([at(0, 9n), at(1, 2n)], answers, 'home'));
    assert.deepEqual([good.verdict, good.rereadAtMost], ['lower_bound', 4n]);
    const bad = startReport(facts, startPositions([at(0, 9n), at(1, 2n)], [], 'synced'));
    assert.deepEqual([bad.verdict, bad.rereadAtMost], ['lower_bound', undefined]);
  });
});
