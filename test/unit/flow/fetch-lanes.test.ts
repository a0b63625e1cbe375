import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bulkLanes, FetchLanes } from '../../../src/flow/fetch-lanes.ts';

interface Copy {
  readonly name: number;
  wantsFetch: boolean;
  hasMore: boolean;
}

function copies(count: number): Copy[] {
  return Array.from({ length: count }, (_, name) => ({ name, wantsFetch: true, hasMore: false }));
}

function lanesOf(all: readonly Copy[]): FetchLanes<Copy> {
  const lanes = new FetchLanes<Copy>(({ wantsFetch }) => wantsFetch);
  for (const copy of all) lanes.add(copy);
  return lanes;
}

describe('FetchLanes', () => {
  test('what is far behind is shared out; the first lane keeps the rest', () => {
    const all = copies(6);
    const lanes = lanesOf(all);
    const first = lanes.claimAll(true);
    assert.deepEqual(first, all);
    for (const copy of all.slice(0, 4)) copy.hasMore = true;
    lanes.giveBack(first, false);
    const shares = Array.from({ length: bulkLanes }, () => lanes.claimBulk());
    assert.deepEqual(
      shares.map((share) => share.length),
      [2, 1, 1],
    );
    assert.deepEqual(lanes.claimAll(true), all.slice(4));
  });

  test('what has caught up goes back to the first lane', () => {
    const [one] = copies(1);
    assert.ok(one);
    const lanes = lanesOf([one]);
    one.hasMore = true;
    lanes.giveBack(lanes.claimAll(true), false);
    assert.deepEqual(lanes.claimAll(true), []);
    const claimed = lanes.claimBulk();
    assert.deepEqual(claimed, [one]);
    one.hasMore = false;
    lanes.giveBack(claimed, true);
    assert.equal(lanes.hasBulk, false);
    assert.deepEqual(lanes.claimAll(true), [one]);
  });

  test('under a limit the first lane asks for everything', () => {
    const all = copies(3);
    const lanes = lanesOf(all);
    for (const copy of all) copy.hasMore = true;
    lanes.giveBack(lanes.claimAll(true), false);
    assert.deepEqual(lanes.claimAll(false), all);
  });

  test('one that is in no request, wanted and not left to others is told of', () => {
    const [one, other] = copies(2);
    assert.ok(one && other);
    const lanes = lanesOf([one]);
    const claimed = lanes.claimAll(true);
    assert.equal(lanes.hasUnasked, false);
    other.wantsFetch = false;
    lanes.add(other);
    assert.equal(lanes.hasUnasked, false);
    other.wantsFetch = true;
    assert.equal(lanes.hasUnasked, true);
    one.hasMore = true;
    lanes.giveBack(claimed, false);
    lanes.delete(other);
    assert.equal(lanes.hasUnasked, false, 'what is far behind is left to the other lanes');
  });

  test('whoever waits is woken by what is given back', async () => {
    const all = copies(2);
    const lanes = lanesOf(all);
    const claimed = lanes.claimAll(true);
    const woken = lanes.sleep(new AbortController().signal);
    lanes.giveBack(claimed, false);
    await woken;
  });

  test('no partition is ever in two requests, and none is forgotten', () => {
    const step = fc.record({ lane: fc.nat(bulkLanes), more: fc.array(fc.boolean()) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step), (count, steps) => {
        const all = copies(count);
        const lanes = lanesOf(all);
        const asked = Array.from({ length: bulkLanes + 1 }, (): readonly Copy[] => []);
        for (const { lane, more } of steps) {
          (asked[lane] ?? []).forEach((copy, at) => (copy.hasMore = more[at] ?? false));
          lanes.giveBack(asked[lane] ?? [], lane > 0);
          asked[lane] = lane === 0 ? lanes.claimAll(true) : lanes.claimBulk();
          const names = asked.flat().map(({ name }) => name);
          assert.equal(new Set(names).size, names.length);
        }
        asked.forEach((share, lane) => lanes.giveBack(share, lane > 0));
        const claimed = [lanes.claimAll(true), ...asked.slice(1).map(() => lanes.claimBulk())];
        assert.equal(claimed.flat().length, count);
      }),
    );
  });
});
