import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lineage, type LogReading } from '../../support/lineage.ts';

/** `3@10 4@11 end 12`: records by number and place. */
function log(text: string): LogReading {
  const words = text.split(' ');
  const records = words.filter((word) => word.includes('@')).map((word) => word.split('@'));
  return {
    start: 0,
    end: Number(words.at(-1)),
    records: records.map(([id, offset]) => ({ id: Number(id), offset: Number(offset) })),
  };
}

function lineage(): Lineage {
  const made = new Lineage('east', 'orders', 0);
  // Offsets 2 and 5 of the source are markers; 8 was never copied.
  made.observe('east', log('0@0 1@1 2@3 3@4 4@6 5@7 6@8 end 9'));
  made.observe('west', log('0@1 1@2 2@3 3@4 4@5 5@9 end 12'));
  return made;
}

test('the truth is behind what was read and not behind what was not', () => {
  const wanted = '-1-1 1-2 2-3 2-3 3-4 4-5 4-5 5-9 9-12 9-12';
  const truths = wanted.split(' ').map((_, at) => {
    const { readUpTo, next } = lineage().truth('east', 'west', at);
    return `${readUpTo}-${next}`;
  });
  assert.equal(truths.join(' '), wanted);
  assert.deepEqual(lineage().truth('west', 'east', 7), { readUpTo: 6, next: 7, id: 5 });
  assert.deepEqual(lineage().truth('west', 'east', 12), { readUpTo: 7, next: 8, id: 6 });
});

test('answers are judged: ahead, the very record, and what would come again', () => {
  const judge = (answer: number) => lineage().judge('east', 'west', 7, answer);
  assert.deepEqual(judge(10), { isAhead: true, isVery: false, again: 0 });
  assert.deepEqual(judge(9), { isAhead: false, isVery: true, again: 0 });
  assert.deepEqual(judge(6), { isAhead: false, isVery: true, again: 0 });
  assert.deepEqual(judge(5), { isAhead: false, isVery: false, again: 1 });
  assert.deepEqual(judge(0), { isAhead: false, isVery: false, again: 5 });
});

test('what was cleaned away is remembered where it was read, and not wanted where it is not', () => {
  const made = lineage();
  made.observe('east', log('0@0 3@4 6@8 end 9'));
  made.observe('west', log('0@1 4@5 5@9 end 12'));
  // 2 and 3 were read before 5, and only 0 of them is still held.
  assert.deepEqual(made.truth('east', 'west', 5), { readUpTo: 1, next: 5, id: 4 });
  assert.equal(made.placeOf('west', 2), 3);
  assert.equal(made.isHeld('west', 2), false);
  assert.equal(made.recordAt('east', 1), 1);
  assert.deepEqual(made.holes('west'), [5, 9]);
});

test('a log made anew has other offsets; its copies keep both lives', () => {
  const made = lineage();
  made.forget('east');
  made.observe('east', log('7@0 8@1 end 2'));
  made.observe('west', log('0@1 1@2 2@3 3@4 4@5 5@9 7@13 8@14 end 15'));
  assert.deepEqual(made.truth('west', 'east', 3), { readUpTo: -1, next: 0, id: 7 });
  assert.equal(made.truth('east', 'west', 1).next, 14);
});

test('a record twice, out of order or moved is not believed', () => {
  const wrong = (text: string, what: RegExp) =>
    assert.throws(() => lineage().observe('west', log(text)), what);
  wrong('0@1 0@2 end 3', /east.orders\/0@2 at west: record 0 behind 0/);
  wrong('1@1 0@2 end 3', /record 0 behind 1/);
  wrong('0@2 end 3', /record 0 was at 1, and is at 2/);
  wrong('7@9 end 12', /two records at 9/);
});
