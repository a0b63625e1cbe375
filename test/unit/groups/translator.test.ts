import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { TranslatedPosition } from '../../../src/groups/answer.ts';
import { Translator } from '../../../src/groups/translator.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import { parseTopology } from '../../../src/topology/parse.ts';

const url = new URL('../../../topology/pair.yaml', import.meta.url);
const topology = parseTopology(readFileSync(url, 'utf8'), 'pair.yaml');
const [from, to] = [siteName('east'), siteName('west')];

/** Of `orders/0` 1,000 records are copied, each one further at west; east's end was seen at 1,040. */
function translate(offset: bigint | undefined): TranslatedPosition {
  const maps = openMapBook();
  const writer = maps.writer({ flow: 'east->west', topic: 'orders', partition: 0, generation: 1 });
  writer.begin(1, { source: 0, target: 1 }, true);
  writer.append({ sourceOffset: 0, targetOffset: 1, length: 1_000 });
  const seen = { sourceEnd: 1_040, sourceEndAsOfMs: 5, lagSeconds: 2, sourceRate: 10 };
  writer.setSourceEnd(seen);
  const translator = new Translator({ topology, maps });
  const [answer] = translator.translate([{ topic: 'orders', partition: 0, offset }], from, to);
  assert.ok(answer);
  return answer;
}

test('a group behind the copy goes on at its record; what has not crossed is counted', () => {
  const answer = translate(400n);
  assert.deepEqual(answer.target, { topic: 'east.orders', partition: 0, offset: 401n });
  assert.equal(answer.certainty, 'exact');
  assert.deepEqual([answer.notHereAtLeast, answer.reread], [40n, 0n]);
});

test('a group ahead of the copy: what it has read was written, though the end was seen before', () => {
  const answer = translate(2_200n);
  assert.equal(answer.target.offset, 1_001n);
  assert.equal(answer.reason, 'not_copied_yet');
  assert.deepEqual([answer.notHereAtLeast, answer.reread], [1_200n, 1_200n]);
});

test('the end at the source was never seen: what the group has read was written', () => {
  const maps = openMapBook();
  maps
    .writer({ flow: 'east->west', topic: 'orders', partition: 0, generation: 1 })
    .begin(1, { source: 0, target: 1 }, true);
  const translator = new Translator({ topology, maps });
  const missing = [400n, 0n].map((offset) => {
    const [answer] = translator.translate([{ topic: 'orders', partition: 0, offset }], from, to);
    return answer?.notHereAtLeast;
  });
  assert.deepEqual(missing, [400n, undefined]);
});

test('a commit of an earlier life of the topic is not taken for a record of the present one', () => {
  const maps = openMapBook();
  const id = { flow: 'east->west', topic: 'orders', partition: 0 };
  const [first, second] = [1, 2].map((generation) => maps.writer({ ...id, generation }));
  first?.begin(1, { source: 0, target: 1 }, true);
  first?.append({ sourceOffset: 0, targetOffset: 1, length: 150 });
  // Cut at 100, and written anew by a later leader.
  second?.begin(200, { source: 100, target: 201 });
  second?.append({ sourceOffset: 100, targetOffset: 201, length: 400 });
  second?.setFirstRead({ epoch: 7, source: 100 });
  const translator = new Translator({ topology, maps });
  const found = [6, 7, undefined].map((leaderEpoch) => {
    const position = { topic: 'orders', partition: 0, offset: 140n };
    const asked = leaderEpoch === undefined ? position : { ...position, leaderEpoch };
    const [answer] = translator.translate([asked], from, to);
    return [answer?.target.offset, answer?.certainty, answer?.reason];
  });
  assert.deepEqual(found, [
    [141n, 'lower_bound', 'generation_changed'],
    [241n, 'exact', 'in_run'],
    [241n, 'exact', 'in_run'],
  ]);
});

/** Copying of `orders/0` began at 500 of what east still holds from `sourceStart` on. */
function late(sourceStart: number, targetStart = -1) {
  const maps = openMapBook();
  const writer = maps.writer({ flow: 'east->west', topic: 'orders', partition: 0, generation: 1 });
  writer.begin(1, { source: 500, target: 1 }, true);
  writer.append({ sourceOffset: 500, targetOffset: 1, length: 100 });
  writer.setLogStarts({ source: sourceStart, target: targetStart });
  const translator = new Translator({ topology, maps });
  return (topic: string, offset: bigint, start?: bigint): unknown[] => {
    const isBack = topic !== 'orders';
    const [answer] = translator.translate(
      [{ topic, partition: 0, offset }],
      isBack ? to : from,
      isBack ? from : to,
      () => start,
    );
    return [answer?.target.offset, answer?.certainty, answer?.reason, answer?.skipped];
  };
}

test('what was never copied, and is not read, is skipped, and counted', () => {
  assert.deepEqual(late(0)('orders', 100n), [1n, 'lower_bound', 'before_map', 400n]);
  assert.deepEqual(late(0)('orders', 500n), [1n, 'exact', 'in_run', 0n]);
  assert.deepEqual(late(0)('orders', 550n), [51n, 'exact', 'in_run', 0n]);
  // It has gone from the source as well: nobody would read it there.
  assert.deepEqual(late(450)('orders', 100n), [1n, 'lower_bound', 'before_map', 50n]);
  assert.deepEqual(late(500)('orders', 100n), [1n, 'exact', 'in_gap', 0n]);
  assert.deepEqual(late(0)('east.orders', 0n), [500n, 'exact', 'in_gap', 0n]);
});

test('what the target does not hold any more, and is not read, is skipped, and counted', () => {
  // The copies up to 540 have gone.
  assert.deepEqual(late(0)('orders', 510n, 41n), [41n, 'lower_bound', 'before_map', 30n]);
  assert.deepEqual(late(0)('orders', 100n, 41n), [41n, 'lower_bound', 'before_map', 440n]);
  assert.deepEqual(late(520)('orders', 510n, 41n), [41n, 'lower_bound', 'before_map', 20n]);
  assert.deepEqual(late(0)('orders', 550n, 41n), [51n, 'exact', 'in_run', 0n]);
  // All of it: markers too, but there is nothing that was not read.
  assert.deepEqual(late(0)('orders', 600n, 103n), [103n, 'exact', 'at_end', 0n]);
  // Back at the origin, which holds less than the copy.
  assert.deepEqual(late(0)('east.orders', 11n, 540n), [540n, 'lower_bound', 'before_map', 30n]);
  assert.deepEqual(late(0, 31)('east.orders', 11n, 540n), [540n, 'lower_bound', 'before_map', 10n]);
});

test('a group without a commit gets the earliest copy', () => {
  const answer = translate(undefined);
  assert.deepEqual([answer.certainty, answer.reason], ['lower_bound', 'no_commit']);
  assert.deepEqual([answer.target.offset, answer.notHereAtLeast], [1n, 40n]);
});

/** `orders` was made again at north: of 100 records of its first life and 50 of its second. */
function lives(atEast: number, atWest: number) {
  const url = new URL('../../../topology/triangle.yaml', import.meta.url);
  const triangle = parseTopology(readFileSync(url, 'utf8'), 'triangle.yaml');
  const maps = openMapBook();
  for (const [site, generations] of [
    ['east', atEast],
    ['west', atWest],
  ] as const) {
    const id = { flow: `north->${site}`, topic: 'orders', partition: 0 };
    const copy = (generation: number, target: number, length: number): void => {
      const writer = maps.writer({ ...id, generation });
      writer.begin(target, { source: 0, target }, true);
      writer.append({ sourceOffset: 0, targetOffset: target, length });
    };
    copy(1, 1, 100);
    if (generations < 2) continue;
    // Markers of takeovers stand at 101 and 102.
    copy(2, 103, 50);
    maps.writer({ ...id, generation: 2 }).setFirstTarget(101);
  }
  const translator = new Translator({ topology: triangle, maps });
  return (offset: bigint): unknown[] => {
    const position = { topic: 'north.orders', partition: 0, offset };
    const [answer] = translator.translate([position], from, to);
    return [answer?.target.offset, answer?.certainty, answer?.reason];
  };
}

test('between two copies of a topic that was made again, a position stays in its life', () => {
  const translateLife = lives(2, 2);
  assert.deepEqual(translateLife(40n), [0n, 'lower_bound', 'generation_changed']);
  assert.deepEqual(translateLife(100n), [0n, 'lower_bound', 'generation_changed']);
  // All of the first life was read.
  assert.deepEqual(translateLife(101n), [103n, 'exact', 'in_run']);
  assert.deepEqual(translateLife(110n), [110n, 'exact', 'in_run']);
});

test('one of the two has not noticed yet that the topic was made again', () => {
  for (const translateLife of [lives(2, 1), lives(1, 2)]) {
    assert.deepEqual(translateLife(40n), [0n, 'lower_bound', 'generation_changed']);
  }
  assert.deepEqual(lives(1, 1)(40n), [40n, 'exact', 'in_run']);
});
