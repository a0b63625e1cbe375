import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName, type SiteName } from '../../../src/base/ids.ts';
import type { GroupHome } from '../../../src/groups/answer.ts';
import { resolveMode } from '../../../src/groups/mode.ts';
import { twoSites } from '../../support/topologies.ts';

const [east, west] = [siteName('east'), siteName('west')];
const topology = twoSites(
  'defaults:',
  '  groups:',
  '    exclude: ["console-.*"]',
  '    modes:',
  '      billing: {mode: single, home: east}',
  '      audit: {mode: everywhere}',
  '      idle: {mode: "off"}',
);

const found: GroupHome = { site: west, epoch: 1, state: 'found' };
const moved: GroupHome = { site: west, epoch: 3, state: 'moved' };
const contested = (isDeclared: boolean): GroupHome => ({
  site: west,
  epoch: 4,
  state: 'contested',
  rival: { site: east, left: [], overlap: [], isDeclared },
});

interface Case {
  readonly group: string;
  readonly home?: GroupHome;
  readonly seenAt?: readonly SiteName[];
  /** Mode, where it is at home, between whom it is contested. */
  readonly is: string;
}

const cases: readonly (readonly [string, Case])[] = [
  ['declared', { group: 'billing', is: 'single east 1 declared' }],
  ['declared, and moved since', { group: 'billing', home: moved, is: 'single west 3 moved' }],
  ['declared after it was found', { group: 'billing', home: found, is: 'single east 1 declared' }],
  [
    'contested before it was declared',
    { group: 'billing', home: contested(false), is: 'single east 4 declared' },
  ],
  [
    'contested although it is declared',
    { group: 'billing', home: contested(true), is: 'contested west 4 contested west,east' },
  ],
  ['everywhere has no home', { group: 'audit', home: found, is: 'everywhere -' }],
  ['off, and never moved', { group: 'idle', home: found, is: 'off -' }],
  ['off, and moved by hand', { group: 'idle', home: moved, is: 'off west 3 moved' }],
  ['left out', { group: 'console-1', seenAt: [east, west], is: 'off -' }],
  ['nothing known', { group: 'new', is: 'off -' }],
  ['seen at one site', { group: 'new', seenAt: [west], is: 'single -' }],
  ['seen at one site, and stored', { group: 'new', home: found, is: 'single west 1 found' }],
  ['seen at both', { group: 'new', seenAt: [east, west], is: 'contested - east,west' }],
  [
    'used at both later',
    { group: 'new', home: contested(false), is: 'contested west 4 contested west,east' },
  ],
];

for (const [name, { group, home, seenAt = [], is }] of cases) {
  test(`${name}: ${is}`, () => {
    const mode = resolveMode(topology, group, { home, seenAt: () => seenAt });
    const at = mode.home && `${mode.home.site} ${mode.home.epoch} ${mode.home.state}`;
    const words = [mode.mode, at ?? '-', ...(mode.contested.length > 0 ? [mode.contested] : [])];
    assert.equal(words.join(' '), is);
    assert.equal(mode.isDeclared, ['billing', 'audit', 'idle'].includes(group));
  });
}
