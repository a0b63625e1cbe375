import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { TranslatedPosition } from '../../../src/groups/answer.ts';
import { readinessState, type ReadinessFacts } from '../../../src/groups/readiness.ts';

const [east, west] = [siteName('east'), siteName('west')];
const exact: TranslatedPosition = {
  source: { topic: 'orders', partition: 0, offset: 4n },
  target: { topic: 'east.orders', partition: 0, offset: 5n },
  certainty: 'exact',
  reason: 'in_run',
  notHereAtLeast: 0n,
  reread: 0n,
  skipped: 0n,
  generation: 1,
};
const bounded: TranslatedPosition = {
  ...exact,
  source: { topic: 'orders', partition: 7, offset: 9n },
  certainty: 'lower_bound',
  reason: 'not_copied_yet',
};
const unknown: TranslatedPosition = { ...bounded, certainty: 'unknown', reason: 'no_map' };

const atEast: ReadinessFacts = {
  site: west,
  mode: 'single',
  isDeclared: true,
  home: { site: east, epoch: 1, state: 'declared' },
  contest: undefined,
  withPositions: [east],
  isUsedHere: false,
  positions: [exact],
};

const cases: readonly [string, Partial<ReadinessFacts>, string, RegExp][] = [
  ['all exact', {}, 'ready', /^$/],
  ['all exact, and used here too', { isUsedHere: true }, 'ready', /of its own here: --overwrite$/],
  ['one behind', { positions: [exact, bounded] }, 'bounded', /^orders\/7: not_copied_yet$/],
  ['one unknown', { positions: [bounded, unknown] }, 'unknown', /^orders\/7: no_map$/],
  ['no position', { positions: [], withPositions: [] }, 'unknown', /no position of it at east/],
  ['at home here', { site: east, positions: [] }, 'home', /^$/],
  ['everywhere', { mode: 'everywhere', home: undefined }, 'own', /at each site are its own/],
  ['local', { mode: 'local', home: undefined }, 'own', /at each site are its own/],
  [
    'positions at both, nothing declared',
    {
      mode: 'contested',
      isDeclared: false,
      home: undefined,
      withPositions: [east, west],
      contest: {
        sites: [east, west],
        overlap: [{ site: east, topic: 'orders', partition: 3, from: 1207n, to: 1390n }],
      },
    },
    'contested',
    /at east and west \(east\/orders\/3 \[1207,1390\) read at both\): declare its mode/,
  ],
  [
    'used at both, although declared',
    { mode: 'contested', contest: { sites: [east, west], overlap: [] } },
    'contested',
    /of its own at east and west: stop it at one, and move it there/,
  ],
  [
    'nothing declared, known only here',
    { mode: 'off', isDeclared: false, home: undefined, withPositions: [west], positions: [] },
    'own',
    /known only here/,
  ],
  ['nothing declared, known only there', { mode: 'off', home: undefined }, 'ready', /^$/],
];

for (const [name, change, state, why] of cases) {
  test(`${name}: ${state}`, () => {
    const found = readinessState({ ...atEast, ...change });
    assert.equal(found.state, state);
    assert.match(found.why, why);
  });
}
