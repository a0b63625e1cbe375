import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { PositionsReader } from '../../../src/groups/positions-reader.ts';
import type { CommitOrigin, ReaderOptions } from '../../../src/groups/positions-source.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import type { GroupOffset } from '../../../src/kafka/cluster.ts';
import { testDeps } from '../../support/deps.ts';
import { FakeOffsetsLog } from '../../support/fake-offsets-log.ts';
import { until } from '../../support/until.ts';

const site = siteName('east');

class Reading implements AsyncDisposable {
  readonly log: FakeOffsetsLog;
  readonly store: PositionsStore;
  readonly reader: PositionsReader;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(log: FakeOffsetsLog, options: Partial<ReaderOptions> = {}) {
    this.log = log;
    this.store = options.store ?? new PositionsStore();
    const all: ReaderOptions = {
      site,
      cluster: log,
      store: this.store,
      isFollowed: () => true,
      origin: () => 'own',
      settle: () => Promise.resolve(),
      pollMs: 20,
      ...options,
    };
    this.reader = new PositionsReader(all, testDeps());
    this.#running = this.reader.run(this.#stop.signal);
  }

  /** undefined: no such row; null: deleted. */
  offset(group: string, partition = 0): bigint | null | undefined {
    const found = this.store.position(site, group, `orders/${partition}`);
    return found && (found.offset ?? null);
  }

  async mode(mode: 'log' | 'polling'): Promise<void> {
    await until(`positions by ${mode}`, () => this.reader.source().mode === mode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

function answered(offset: bigint): GroupOffset[] {
  return [{ topic: 'orders', partition: 0, offset, leaderEpoch: -1, metadata: '' }];
}

test('what stands in the log at the start, then every commit, without asking', async () => {
  const log = new FakeOffsetsLog();
  for (const group of ['a', 'b', 'c', 'd']) log.commit({ group, offset: 5n });
  log.commit({ group: 'a', offset: 6n });
  await using reading = new Reading(log);
  await reading.mode('log');
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((group) => reading.offset(group)),
    [6n, 5n, 5n, 5n],
  );
  log.commit({ group: 'b', offset: 9n });
  log.commit({ group: 'c', offset: null });
  await until('the commits', () => reading.offset('b') === 9n && reading.offset('c') === null);
  await until('the time', () => (reading.store.siteAsOfMs(site) ?? 0) > 0);
  assert.deepEqual(log.asked, []);
});

test('after refresh everything committed before is known', async () => {
  await using reading = new Reading(new FakeOffsetsLog());
  await reading.mode('log');
  for (let offset = 1n; offset < 50n; offset += 1n) {
    reading.log.commit({ group: 'a', offset });
    await reading.reader.refresh('a');
    assert.equal(reading.offset('a'), offset);
  }
});

test('what agents wrote is not a position, also when the ledger is heard after the log', async () => {
  const known = new Set<bigint>();
  let heard = 0;
  const origin = (_group: string, { offset }: { offset: bigint }): CommitOrigin =>
    known.has(offset) ? 'ours' : 'foreign';
  const settle = async (): Promise<void> => {
    heard += 1;
    known.add(7n);
    await Promise.resolve();
  };
  await using reading = new Reading(new FakeOffsetsLog(), { origin, settle });
  await reading.mode('log');
  reading.log.commit({ group: 'a', offset: 7n });
  await until('the ledger to be heard', () => heard > 0);
  await reading.reader.refresh('a');
  assert.equal(reading.offset('a'), undefined);
  // The group's own commit at a site that is not its home is one.
  reading.log.commit({ group: 'a', offset: 8n });
  await until('the own commit', () => reading.offset('a') === 8n);
  reading.log.commit({ group: 'a', offset: 7n });
  await until('ours in its place', () => reading.offset('a') === null);
});

test('a group whose home comes here goes on at what agents wrote', async () => {
  let whose: CommitOrigin = 'ours';
  await using reading = new Reading(new FakeOffsetsLog(), { origin: () => whose });
  await reading.mode('log');
  reading.log.commit({ group: 'a', offset: 7n });
  await reading.reader.refresh('a');
  assert.equal(reading.offset('a'), undefined);
  whose = 'own';
  reading.reader.review('a');
  assert.equal(reading.offset('a'), 7n);
});

test('groups that are left out are not known, and are once they are let in', async () => {
  let isLetIn = false;
  const isFollowed = (group: string): boolean => isLetIn || group !== 'a';
  await using reading = new Reading(new FakeOffsetsLog(), { isFollowed });
  reading.log.commit({ group: 'a', offset: 7n });
  reading.log.commit({ group: 'b', offset: 7n });
  await reading.mode('log');
  assert.deepEqual([reading.offset('a'), reading.offset('b')], [undefined, 7n]);
  isLetIn = true;
  reading.reader.reviewAll();
  assert.equal(reading.offset('a'), 7n);
});

test('without the right to read the log groups are asked; with it again, not', async () => {
  const log = new FakeOffsetsLog();
  log.fetchError = 29;
  log.answers.set('a', answered(5n));
  await using reading = new Reading(log);
  await reading.mode('polling');
  await until('the answer', () => reading.offset('a') === 5n);
  assert.match(reading.reader.source().why, /TOPIC_AUTHORIZATION_FAILED/);
  await until('the time', () => (reading.store.siteAsOfMs(site) ?? 0) > 0);
  log.answers.set('a', []);
  await until('the deletion', () => reading.offset('a') === null);
  log.commit({ group: 'a', offset: 8n });
  log.fetchError = 0;
  await reading.mode('log');
  assert.equal(reading.offset('a'), 8n);
  const asked = log.asked.length;
  log.commit({ group: 'a', offset: 9n });
  await until('the commit', () => reading.offset('a') === 9n);
  assert.equal(log.asked.length, asked);
});

test('a log that is not there yet is followed once it is', async () => {
  const log = new FakeOffsetsLog();
  log.isThere = false;
  await using reading = new Reading(log);
  await reading.mode('polling');
  assert.match(reading.reader.source().why, /__consumer_offsets at east: not there/);
  log.isThere = true;
  log.commit({ group: 'a', offset: 8n });
  await reading.mode('log');
  assert.equal(reading.offset('a'), 8n);
});

test('a group with a commit in a form to come is asked, the others are not', async () => {
  const log = new FakeOffsetsLog();
  await using reading = new Reading(log);
  await reading.mode('log');
  log.answers.set('a', answered(70n));
  log.commit({ group: 'a', offset: 7n, version: 9 });
  log.commit({ group: 'b', offset: 3n });
  await until('the answer', () => reading.offset('a') === 70n && reading.offset('b') === 3n);
  assert.deepEqual([...new Set(log.asked)], ['a']);
  assert.deepEqual(
    [reading.reader.source().unreadableCommits, reading.reader.source().groupsAsked],
    [1, 1],
  );
  log.commit({ group: 'a', offset: 8n });
  await until('the log to tell of it again', () => reading.offset('a') === 8n);
});

test('a log with a key that is none is not followed, and said to be', async () => {
  const log = new FakeOffsetsLog();
  log.append(1, Buffer.from([0, 1, 0, 9]));
  log.answers.set('a', answered(5n));
  await using reading = new Reading(log);
  await reading.mode('polling');
  await until('the answer', () => reading.offset('a') === 5n);
  assert.match(reading.reader.source().why, /__consumer_offsets\/1@0/);
});

test('what was deleted while nobody looked is gone; of a log made anew, what was known stays', async () => {
  const log = new FakeOffsetsLog(1);
  const store = new PositionsStore();
  store.observe(site, 'a', [{ ...answered(5n)[0]! }], 1);
  store.observe(site, 'b', [{ ...answered(6n)[0]! }], 1);
  log.commit({ group: 'b', offset: 6n });
  {
    await using reading = new Reading(log, { store });
    await reading.mode('log');
    assert.deepEqual([reading.offset('a'), reading.offset('b')], [null, 6n]);
    log.remake();
    await until('the new log to be followed', () => {
      if (reading.offset('d') === undefined) log.commit({ group: 'd', offset: 2n });
      return reading.offset('d') === 2n;
    });
    await reading.mode('log');
  }
  log.remake();
  await using later = new Reading(log, { store });
  await later.mode('log');
  assert.equal(later.offset('d'), 2n);
});

test('an idle log is asked for seldom, a busy one not for every commit', async () => {
  await using reading = new Reading(new FakeOffsetsLog());
  await reading.mode('log');
  const before = reading.log.fetches;
  for (let offset = 1n; offset <= 300n; offset += 1n) {
    reading.log.commit({ group: 'a', offset });
    if (offset % 10n === 0n) await new Promise((resolve) => setImmediate(resolve));
  }
  await until('the last', () => reading.offset('a') === 300n);
  assert.ok(reading.log.fetches - before < 30, String(reading.log.fetches - before));
});
