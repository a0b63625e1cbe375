/** How many records were copied of a stretch of source offsets, however the map is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';

const gaps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 9 })), {
  minLength: 1,
  maxLength: 60,
});

test('records between two source offsets', () => {
  fc.assert(
    fc.property(
      gaps,
      fc.nat(400),
      fc.nat(400),
      fc.integer({ min: 2, max: 8 }),
      (runs, a, b, max) => {
        const book = openMapBook({ growingMax: max });
        const id = { flow: 'east->west', topic: 'orders', partition: 0, generation: 1 };
        const map = book.writer(id);
        map.begin(1, { source: 0, target: 0 }, true);
        const copied: number[] = [];
        let at = 0;
        for (const [hole, length] of runs) {
          const sourceOffset = at + hole;
          map.append({ sourceOffset, targetOffset: copied.length, length });
          for (let index = 0; index < length; index += 1) copied.push(sourceOffset + index);
          at = sourceOffset + length;
        }
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const wanted = copied.filter((offset) => offset >= from && offset < to).length;
        const reader = book.reader(id.flow, id.topic, id.partition);
        assert.equal(reader?.countBetween(BigInt(from), BigInt(to)), wanted);
      },
    ),
  );
});
