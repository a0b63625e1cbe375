import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupHome, HomeState } from '../../../src/groups/answer.ts';
import { homeValue, isLeft, parseHome, succeeding } from '../../../src/groups/homes.ts';

const [east, west] = [siteName('east'), siteName('west')];

function home(text: string): GroupHome {
  const [site = '', epoch, state] = text.split(' ');
  // The tables below spell states as they are.
  return { site: siteName(site), epoch: Number(epoch), state: state as HomeState };
}

function textOf({ site, epoch, state, rival }: GroupHome): string {
  return `${site} ${epoch} ${state}${rival === undefined ? '' : ` with ${rival.site}`}`;
}

const cases: readonly [string, known: string, told: string, counts: string][] = [
  ['a later epoch', 'east 1 declared', 'west 2 moved', 'west 2 moved'],
  ['an earlier epoch', 'west 2 provisional', 'east 1 found', 'west 2 provisional'],
  ['confirmed', 'west 2 provisional', 'west 2 moved', 'west 2 moved'],
  ['not confirmed', 'west 2 provisional', 'west 2 contested', 'west 2 contested'],
  ['found at two sites, apart', 'east 1 found', 'west 1 found', 'east 1 contested with west'],
  ['the same, heard the other way', 'west 1 found', 'east 1 found', 'east 1 contested with west'],
  ['lost at two sites', 'west 2 provisional', 'east 2 provisional', 'east 2 contested with west'],
  ['a command against a guess', 'east 2 provisional', 'west 2 moved', 'west 2 moved'],
  ['a guess against a command', 'west 2 moved', 'east 2 provisional', 'west 2 moved'],
  ['two commands, apart', 'west 2 moved', 'east 2 moved', 'east 2 moved'],
];

describe('of two homes', () => {
  for (const [name, known, told, counts] of cases) {
    test(`${name}: ${counts}`, () => {
      const found = succeeding(home(known), home(told)) ?? home(known);
      assert.equal(textOf(found), counts);
    });
  }

  test('whatever they heard first, two sites that tell each other come to the same', () => {
    const some = fc.record({
      site: fc.constantFrom(east, west),
      epoch: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom<HomeState>('found', 'provisional', 'contested', 'moved'),
    });
    const after = (told: readonly GroupHome[]): GroupHome =>
      told.reduce((known, one) => succeeding(known, one) ?? known);
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 6 }), fc.nat(), (told, turn) => {
        const at = turn % told.length;
        const one = after(told);
        const other = after([...told.slice(at), ...told.slice(0, at)].reverse());
        // Each tells the other what it has come to.
        const [here, there] = [after([one, other]), after([other, one])];
        assert.deepEqual(
          [here.site, here.epoch, here.state],
          [there.site, there.epoch, there.state],
        );
      }),
    );
  });

  test('a site lets go of what was committed there only when the home has moved', () => {
    const states: readonly HomeState[] = ['declared', 'found', 'provisional', 'contested', 'moved'];
    const left = states.filter((state) => isLeft({ site: west, epoch: 2, state }, east));
    assert.deepEqual(left, ['moved']);
    assert.equal(isLeft({ site: east, epoch: 2, state: 'moved' }, east), false);
  });
});

describe('a stored home', () => {
  test('comes back as it was', () => {
    const stored: GroupHome = {
      site: west,
      epoch: 4,
      state: 'contested',
      rival: {
        site: east,
        left: [{ topic: 'orders', partition: 3, offset: 1207n }],
        overlap: [
          { site: east, topic: 'orders', partition: 3, from: 1207n, to: 1390n },
          { site: west, topic: 'lines', partition: 0, from: undefined, to: 5n },
        ],
        isDeclared: true,
      },
    };
    assert.deepEqual(parseHome('home/1/g', homeValue(stored)), stored);
    const plain: GroupHome = { site: west, epoch: 4, state: 'found' };
    assert.deepEqual(parseHome('home/1/g', homeValue(plain)), plain);
  });

  test('of a version without states had been moved', () => {
    const stored = Buffer.from('{"site":"west","epoch":3}');
    assert.deepEqual(parseHome('home/1/g', stored), { site: west, epoch: 3, state: 'moved' });
  });

  for (const text of ['{"epoch":1}', '{"site":"west","epoch":1,"state":"lost"}', '[', '7']) {
    test(`${text} is refused, with its key`, () => {
      assert.throws(
        () => parseHome('home/1/g', Buffer.from(text)),
        (error) => isMeshError(error, 'state_corrupt') && error.message.includes('home/1/g'),
      );
    });
  }
});
