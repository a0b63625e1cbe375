import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName, type SiteName } from '../../../src/base/ids.ts';
import type { ResolvedMode } from '../../../src/groups/mode.ts';
import { contestText, modeFacts, type FindOverlap } from '../../../src/groups/contest.ts';
import { overlapOf, overlapText } from '../../../src/groups/overlap.ts';
import type { SourcePosition } from '../../../src/groups/translator.ts';
import { twoSites } from '../../support/topologies.ts';

const [east, west] = [siteName('east'), siteName('west')];
const topology = twoSites('retiredSites: [north]');

/** Copies stand a hundred offsets behind what they are copies of. */
const translator = {
  translate: (positions: readonly SourcePosition[], from: SiteName, to: SiteName) =>
    positions.map(({ topic, partition, offset }) => {
      const alias = `${to}.`;
      const isCopy = from !== to && topic.startsWith(alias);
      const target = {
        topic: isCopy ? topic.slice(alias.length) : topic,
        partition,
        offset: offset !== undefined && isCopy ? offset - 100n : offset,
      };
      return {
        source: { topic, partition, offset },
        target,
        certainty: 'exact' as const,
        reason: 'in_run' as const,
        notHereAtLeast: 0n,
        reread: 0n,
        skipped: 0n,
        generation: 1,
      };
    }),
};

function positions(...texts: readonly string[]): (SourcePosition & { offset: bigint })[] {
  return texts.map((text) => {
    const [log = '', offset = ''] = text.split('@');
    const [topic = '', partition] = log.split('/');
    return { topic, partition: Number(partition), offset: BigInt(offset) };
  });
}

const find: FindOverlap = (there, here, left) =>
  overlapOf({ topology, translator, there, here, left });

describe('what was read at both sites', () => {
  test('is told where the records were born, from where the group had been', () => {
    const there = { site: east, positions: positions('orders/3@1390', 'west.lines/0@150') };
    const here = { site: west, positions: positions('east.orders/3@1600', 'lines/0@70') };
    const left = positions('orders/3@1207', 'west.lines/0@120');
    assert.deepEqual(find(there, here, left).map(overlapText), [
      'east/orders/3 [1207,1390) read at both',
      'west/lines/0 [20,50) read at both',
    ]);
  });

  test('begins nobody knows where when it is not known where the group had been', () => {
    const there = { site: east, positions: positions('orders/3@1390') };
    const here = { site: west, positions: positions('east.orders/3@1300') };
    const found = find(there, here, undefined).map(overlapText);
    assert.deepEqual(found, ['east/orders/3 [?,1200) read at both']);
  });

  test('is nothing where one of them has not gone on, or reads other logs', () => {
    const there = { site: east, positions: positions('orders/3@1207', 'bills/0@9') };
    const here = { site: west, positions: positions('east.orders/3@1600', 'notes/0@9') };
    assert.deepEqual(find(there, here, positions('orders/3@1207')), []);
  });

  test('is not known of records of a site that is none any more', () => {
    const there = { site: east, positions: positions('north.orders/0@5') };
    assert.deepEqual(find(there, { ...there, site: west }, undefined), []);
  });
});

describe('a contest', () => {
  const mode: ResolvedMode = {
    isIncluded: true,
    mode: 'contested',
    isDeclared: true,
    home: {
      site: west,
      epoch: 2,
      state: 'contested',
      rival: {
        site: east,
        left: positions('orders/3@10'),
        overlap: [{ site: east, topic: 'orders', partition: 3, from: 10n, to: 20n }],
        isDeclared: true,
      },
    },
    contested: [west, east],
  };
  const at = (place: SiteName, here: SourcePosition[], there: SourcePosition[]) =>
    place === west ? here : there;

  test('is told as it is now', () => {
    const [here, there] = [positions('east.orders/3@150'), positions('orders/3@60')];
    const { contest } = modeFacts(mode, (place) => at(place, here, there), find);
    assert.deepEqual(contest?.overlap, [
      { site: east, topic: 'orders', partition: 3, from: 10n, to: 50n },
    ]);
  });

  test('is told as it was seen when a site is not heard any more', () => {
    const facts = modeFacts(mode, () => [], find);
    assert.deepEqual(facts.contest?.overlap, mode.home?.rival?.overlap);
    assert.equal(
      contestText('billing', facts.contest!),
      'billing has commits of its own at west and east (east/orders/3 [10,20) read at both)',
    );
  });

  test('is none of a group that is at one site', () => {
    const facts = modeFacts({ ...mode, mode: 'single', contested: [] }, () => [], find);
    assert.equal(facts.contest, undefined);
  });
});
