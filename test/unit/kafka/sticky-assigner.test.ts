import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assignSlots } from '../../../src/kafka/sticky-assigner.ts';

const total = 64;
const held = fc.uniqueArray(fc.integer({ min: -2, max: total + 2 }), { maxLength: total });

test('every slot has one holder, shares differ by one at most, what need not move stays', () => {
  fc.assert(
    fc.property(fc.array(held, { minLength: 1, maxLength: 9 }), (holdings) => {
      const members = holdings.map((slots, index) => ({ memberId: `m${index}`, held: slots }));
      const shares = assignSlots(members, total);
      const all = [...shares.values()].flat();
      assert.deepEqual(
        [...all].sort((a, b) => a - b),
        Array.from({ length: total }, (_, i) => i),
      );
      const sizes = [...shares.values()].map((slots) => slots.length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
      assert.deepEqual(assignSlots([...members].reverse(), total), shares);
      const again = assignSlots(
        [...shares].map(([memberId, slots]) => ({ memberId, held: slots })),
        total,
      );
      assert.deepEqual(again, shares);
    }),
  );
});

test('a member that joins gets its share; the others lose no more than that', () => {
  const two = assignSlots(
    [
      { memberId: 'a', held: [] },
      { memberId: 'b', held: [] },
    ],
    total,
  );
  const before = [...two].map(([memberId, held]) => ({ memberId, held }));
  const three = assignSlots([...before, { memberId: 'c', held: [] }], total);
  for (const { memberId, held } of before) {
    const kept = three.get(memberId) ?? [];
    assert.ok(kept.every((slot) => held.includes(slot)));
  }
  assert.equal(three.get('c')?.length, 21);
});
