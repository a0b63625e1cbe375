/** Whatever happens to a partition and its state, no answer is ahead, and what says exact is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { MapLimits } from '../../../src/offsets/open-map-book.ts';
import type { StoredSegment } from '../../../src/offsets/run.ts';
import { World } from './world.ts';

/** More of them, and seeds of one's own, for a long search: `MAP_RUNS=60000 MAP_SEED=7`. */
const numRuns = Number(process.env['MAP_RUNS'] ?? 300);
const seed = process.env['MAP_SEED'];
const howMany = {
  numRuns,
  includeErrorInReport: true,
  ...(seed === undefined ? {} : { seed: Number(seed) }),
};

type Step = (world: World) => void;

const agent = fc.nat({ max: 1 });
const gaps = fc.array(fc.constantFrom(0, 0, 0, 0, 1, 3), { minLength: 1, maxLength: 9 });

const named = (name: string, step: Step): Step =>
  Object.assign(step, { toString: () => name, [fc.toStringMethod]: () => name });

const copy = fc
  .tuple(gaps, fc.constantFrom(0, 0, 0, 2))
  .map(([some, foreign]) =>
    named(`copy ${some.join()} ${foreign}`, (world) => world.copy(some, foreign)),
  );
const scan = fc.nat({ max: 4 }).map((gap) => named(`scan ${gap}`, (world) => world.scan(gap)));
const store = agent.map((one) => named(`store ${one}`, (world) => world.store(one)));
const follow = fc
  .tuple(agent, fc.nat({ max: 8 }))
  .map(([one, count]) => named(`follow ${one} ${count}`, (world) => world.follow(one, count)));
const restart = agent.map((one) => named(`restart ${one}`, (world) => world.restart(one)));
const takeOver = agent.map((one) => {
  return named(`take over ${one}`, (world) => {
    world.follow(one);
    world.takeOver(one);
  });
});
const scanLate = fc
  .tuple(agent, fc.nat({ max: 5 }))
  .map(([one, gap]) => named(`scan late ${one} ${gap}`, (world) => world.scanLate(one, gap)));
const takeOverUnread = agent.map((one) => {
  return named(`take over ${one}, nothing read`, (world) => world.takeOver(one));
});
const lose = fc
  .array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 3 })
  .map((places) => named(`lose ${places.join()}`, (world) => world.lose(places)));
const readBack = fc
  .tuple(fc.nat({ max: 40 }), fc.nat({ max: 60 }))
  .map(([from, length]) =>
    named(`read back ${from} ${length}`, (world) => world.readBack(from, length)),
  );
const trim = fc
  .tuple(fc.nat({ max: 30 }), agent)
  .map(([records, one]) => named(`trim ${records} ${one}`, (world) => world.trim(records, one)));
const truncate = fc
  .tuple(agent, fc.integer({ min: 1, max: 12 }))
  .map(([one, records]) =>
    named(`truncate ${one} ${records}`, (world) => world.truncate(one, records)),
  );

const ordinary = [
  { weight: 8, arbitrary: copy },
  { weight: 2, arbitrary: scan },
  { weight: 4, arbitrary: store },
  { weight: 2, arbitrary: follow },
  { weight: 1, arbitrary: restart },
  { weight: 2, arbitrary: takeOver },
  { weight: 1, arbitrary: scanLate },
];
const steps = (more: readonly fc.Arbitrary<Step>[]): fc.Arbitrary<Step[]> =>
  fc.array(fc.oneof(...ordinary, ...more), { minLength: 1, maxLength: 40 });

/** From hardly any room to plenty. */
const limits: fc.Arbitrary<Partial<MapLimits>> = fc.record({
  growingMax: fc.constantFrom(1, 2, 4, 64),
  mergedMax: fc.constantFrom(1, 2, 5, 16, 4096),
  bytesMax: fc.constantFrom(0, 700, 1_500, 3_000, 1_000_000),
});
const roomy = { bytesMax: 1_000_000 };

function shuffled<T>(things: readonly T[], seed: number): T[] {
  const keyed = things.map((thing, at) => [((at + 1) * (seed * 2 + 1) * 7919) % 10_007, thing]);
  return (keyed as [number, T][]).sort(([a], [b]) => a - b).map(([, thing]) => thing);
}

/** Shuffled, but for the order of those with the same key, which a log always keeps. */
function shuffledKeys(records: readonly StoredSegment[], seed: number): StoredSegment[] {
  const nameOf = ({ key }: StoredSegment): string => key.toString();
  const waiting = new Map<string, StoredSegment[]>();
  for (const record of records) {
    waiting.set(nameOf(record), [...(waiting.get(nameOf(record)) ?? []), record]);
  }
  return shuffled(records, seed).flatMap((record) => {
    const next = waiting.get(nameOf(record))?.shift();
    return next === undefined ? [] : [next];
  });
}

describe('the offset map against the list of all copies', () => {
  test('through takeovers, frozen holders, lost state, little room and pruning', () => {
    fc.assert(
      fc.property(
        limits,
        steps([takeOverUnread, lose, readBack, trim]),
        fc.nat({ max: 5_000 }),
        fc.integer({ min: 1, max: 4 }),
        (sizes, some, seed, every) => {
          const world = new World(sizes);
          for (const step of some) step(world);
          for (const { book } of world.agents) world.check(book);
          for (const one of [0, 1]) world.store(one);
          // In any order, old versions too, some not at all.
          const loaded = shuffled(world.log, seed).filter((_, at) => every === 1 || at % every > 0);
          world.check(world.load(loaded));
          world.check(world.load(world.compacted(), roomy));
        },
      ),
      howMany,
    );
  });

  test('a target that lost its last records: what older holders said of them is void', () => {
    fc.assert(
      fc.property(limits, steps([truncate]), fc.nat({ max: 5_000 }), (sizes, some, seed) => {
        const world = new World(sizes);
        for (const step of some) step(world);
        for (const one of [0, 1]) world.store(one);
        world.check(world.load(shuffledKeys(world.log, seed)));
        for (const one of [0, 1]) world.follow(one);
        for (const { book } of world.agents) world.check(book);
      }),
      howMany,
    );
  });

  test('what such a target lost stays void when those who found it lost have told no more', () => {
    const world = new World({ growingMax: 64, mergedMax: 1, bytesMax: 0 });
    world.copy([0, 0], 0);
    world.truncate(0, 1);
    world.copy([0, 3], 0);
    world.truncate(1, 1);
    for (const one of [0, 1]) world.store(one);
    for (const one of [0, 1]) world.follow(one);
    for (const { book } of world.agents) world.check(book);
    world.check(world.load(world.log));
  });

  test('everything is exact where nothing was lost and there was room', () => {
    fc.assert(
      fc.property(limits, steps([readBack]), fc.nat({ max: 5_000 }), (sizes, some, seed) => {
        const world = new World({ ...sizes, ...roomy }, true);
        world.copy([0, 0, 1], 0);
        for (const one of [0, 1]) world.store(one);
        for (const step of some) step(world);
        // Whoever holds it now has read on to where the copying stands.
        world.scan(0);
        for (const one of [0, 1]) world.store(one);
        for (const one of [0, 1]) world.follow(one);
        for (const { book } of world.agents) world.checkExact(book);
        world.checkExact(world.load(shuffled(world.compacted(), seed)));
        assert.ok(world.pairs.length > 0);
      }),
      howMany,
    );
  });
});
