/** What came late: noted when a group moves, followed until it is here, through restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { siteName } from '../../../src/base/ids.ts';
import type { TranslateAnswer, TranslatedPosition } from '../../../src/groups/answer.ts';
import { LateRecords } from '../../../src/groups/late-records.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import { testDeps } from '../../support/deps.ts';
import { exactAnswer } from '../../support/exact-answer.ts';
import { until } from '../../support/until.ts';

const west = siteName('west');
const flow = 'east->west';

function position(topic: string, offset: bigint | undefined): TranslatedPosition {
  return {
    source: { topic, partition: 0, offset },
    target: { topic: `east.${topic}`, partition: 0, offset },
    certainty: 'exact',
    reason: 'in_run',
    notHereAtLeast: undefined,
    reread: undefined,
    skipped: 0n,
    generation: 1,
  };
}

function answerOf(group: string): TranslateAnswer {
  return exactAnswer({
    group,
    positions: [position('orders', 80n), position('west.lines', 5n), position('nowhere', 1n)],
  });
}

/** One agent of west over a map in which 100 records of orders/0 were copied, at 1 to 101. */
function open(stored: readonly StateRecord[] = []) {
  const maps = openMapBook();
  const map = maps.writer({ flow, topic: 'orders', partition: 0, generation: 1 });
  map.begin(1, { source: 0, target: 1 }, true);
  map.append({ sourceOffset: 0, targetOffset: 1, length: 100 });
  const log: StateRecord[] = [];
  const events: string[] = [];
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const isOwner = { value: true };
  const options = {
    site: west,
    maps,
    owns: () => isOwner.value,
    append: (records: readonly StateRecord[]) => {
      log.push(...records);
      return Promise.resolve();
    },
    onEvent: ({ text }: { readonly text: string }) => void events.push(text),
  };
  const late = new LateRecords(options, { ...testDeps(), clock });
  for (const record of stored) assert.ok(late.load(record));
  const seen = (sourceEnd: number, atMs: number): void =>
    map.setSourceEnd({ sourceEnd, sourceEndAsOfMs: atMs, lagSeconds: 0, sourceRate: 0 });
  seen(103, nowMs - 10);
  const pass = (ms: number): number => (nowMs += ms);
  /** Rounds, until something is so. */
  const run = async (what: string, probe: () => boolean): Promise<void> => {
    const stop = new AbortController();
    const running = late.run(stop.signal);
    await until(what, probe).finally(() => stop.abort());
    await running;
  };
  return { maps, late, log, events, map, seen, pass, run, isOwner };
}

test('a lost site: waits for it, then for its records, then says where they are', async () => {
  const { late, log, events, map, seen, pass, run } = open();
  await late.note(answerOf('billing'), false);
  await late.note(answerOf('audit'), false, 'audit.east');
  await late.note(answerOf('billing'), false);
  const [one, ...more] = late.list();
  assert.ok(one !== undefined && more.length === 0);
  assert.deepEqual([one.state, one.from, one.to, one.atLeast], ['waiting', 100n, undefined, 3n]);
  assert.deepEqual(one.groups, [
    { group: 'billing', as: undefined },
    { group: 'audit', as: 'audit.east' },
  ]);

  // Seen again, with more than was known of; what is written from then on is not late.
  seen(140, pass(60_000));
  await run('it to be seen', () => late.list()[0]?.state === 'crossing');
  seen(500, pass(1_000));
  // Behind a marker in the target's log.
  map.append({ sourceOffset: 100, targetOffset: 102, length: 30 });
  map.scannedTo(139);
  assert.deepEqual([late.list()[0]?.to, late.list()[0]?.state], [140n, 'crossing']);
  map.append({ sourceOffset: 139, targetOffset: 132, length: 100 });
  await run('all of it', () => late.list()[0]?.state === 'arrived');
  const arrived = late.list()[0];
  assert.deepEqual(arrived?.target, { topic: 'east.orders', from: 102n, to: 133n });
  assert.equal(arrived.records, 31);
  assert.deepEqual([arrived.failedOverAtMs, arrived.seenAtMs], [1_000_000, 1_060_000]);
  assert.deepEqual(events, [
    '31 late records of orders/0 are here at east.orders [102, 133), for billing, audit.east',
  ]);

  const again = open(log);
  assert.deepEqual(again.late.list(), late.list());
  again.pass(31 * 24 * 60 * 60 * 1000);
  await again.run('what is old to be dropped', () => again.late.list().length === 0);
  assert.equal(again.log.at(-1)?.value, null);
});

test('a site that answers: what is known to be missing, and nothing where nothing is', async () => {
  const { late, seen, pass, map, run } = open();
  await late.note(answerOf('billing'), true);
  assert.deepEqual(
    late.list().map(({ from, to, state }) => [from, to, state]),
    [[100n, 103n, 'crossing']],
  );
  map.append({ sourceOffset: 100, targetOffset: 101, length: 3 });
  await run('it', () => late.list()[0]?.state === 'arrived');
  pass(1_000);
  seen(103, pass(1_000));
  await late.note(answerOf('audit'), true);
  assert.equal(late.list().length, 1);
});

test('a site that lost them too: nothing is late; a log that is another one: gone', async () => {
  const lost = open();
  await lost.late.note(answerOf('billing'), false);
  lost.seen(90, lost.pass(1_000));
  await lost.run('it to be dropped', () => lost.late.list().length === 0);
  assert.deepEqual(lost.events, []);

  const anew = open();
  await anew.late.note(answerOf('billing'), false);
  const second = anew.maps.writer({ flow, topic: 'orders', partition: 0, generation: 2 });
  second.begin(1, { source: 0, target: 101 }, true);
  await anew.run('it to be gone', () => anew.late.list()[0]?.state === 'gone');
  assert.match(anew.events[0] ?? '', /orders\/0 is another log now: .* billing .* from 100 on/);
});

test('an agent that does not carry the partition only listens', async () => {
  const { late, log, isOwner, seen, pass, map, run } = open();
  await late.note(answerOf('billing'), false);
  isOwner.value = false;
  seen(120, pass(1_000));
  const other = open(log);
  other.seen(120, other.pass(1_000));
  other.map.append({ sourceOffset: 100, targetOffset: 101, length: 20 });
  await other.run('it', () => other.late.list()[0]?.state === 'arrived');
  map.append({ sourceOffset: 100, targetOffset: 101, length: 20 });
  for (const record of other.log) late.load(record);
  await run('what the other says', () => late.list()[0]?.records === 20);
  assert.equal(log.length, 1);
});

test('a record that cannot be read is an error that names it', () => {
  const { late } = open();
  const key = Buffer.from('late/1/east->west/orders/0/100');
  assert.equal(late.load({ key: Buffer.from('home/1/billing'), value: null }), false);
  for (const text of ['', '{}', '{"flow":"east->west","topic":"o","state":"arrived"}']) {
    const record = { key, value: Buffer.from(text) };
    assert.throws(() => late.load(record), { code: 'state_corrupt', message: /late\/1\/east/ });
  }
});
