import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recover, type Recovery } from '../../../src/flow/recover.ts';
import { TailFound } from '../../../src/flow/tail-found.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';

const id = { flow: 'east->west', topic: 'orders', partition: 0 };

test('what the former holder stores while its tail is read does not hide what it wrote behind that', () => {
  // It has copied up to 200, and stored up to 100; another 50 are on their way.
  const former = openMapBook();
  const told = former.writer({ ...id, generation: 1 });
  told.begin(10, { source: 0, target: 11 }, true);
  told.append({ sourceOffset: 0, targetOffset: 11, length: 100 });
  const first = former.takeChanged();
  told.append({ sourceOffset: 100, targetOffset: 111, length: 50 });
  const second = former.takeChanged();

  const maps = openMapBook();
  for (const piece of first) maps.load(piece);
  const map = maps.writer({ ...id, generation: 1 });
  const { end } = map;
  const found = new TailFound();
  found.run({ sourceOffset: 100, targetOffset: 111, length: 100 });
  for (const piece of second) maps.load(piece);

  // The parts that are used when the map is known.
  const recovery = {
    map,
    id: { topic: 'orders', partition: 0, remoteTopic: 'east.orders' },
    record: { generation: 1, startOffset: 0n, producerIds: [1n] },
    marker: 211,
    lives: { isNew: false },
    resets: { tellForeign: () => undefined },
    ends: { targetStart: 0, targetEnd: 212, sourceStart: 0 },
  } as unknown as Recovery;
  const { position } = recover(recovery, { end, found });
  assert.equal(position, 200);
  const reader = maps.reader('east->west', 'orders', 0);
  assert.deepEqual(reader?.forward(170n), { offset: 181n, certainty: 'exact', reason: 'in_run' });
});
