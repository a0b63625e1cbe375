/** What is kept in `__causeway-events` can be asked for, of whatever version it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventBook } from '../../../src/agent/event-book.ts';
import type { EventsRequest } from '../../../src/client/event-shapes.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { testDeps } from '../../support/deps.ts';
import { until } from '../../support/until.ts';

const all: EventsRequest = { sinceMs: undefined, kinds: [], limit: 0 };

/** A log that gives back what was appended, all of it at once. */
function open() {
  let tell: (records: readonly FollowedRecord[]) => void = () => undefined;
  let next = 0n;
  const give = (records: readonly StateRecord[]): void => {
    tell(records.map((one) => ({ ...one, partition: 0, offset: (next += 1n), timestampMs: 0 })));
  };
  const log: StateLog = {
    topic: '__causeway-events',
    append: (records) => {
      give(records);
      return Promise.resolve();
    },
    follow: (listener) => {
      tell = listener.onRecords;
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const book = new EventBook(log, testDeps());
  void book.run(new AbortController().signal);
  const giveText = (...values: string[]): void =>
    give(values.map((value) => ({ key: Buffer.from('k'), value: Buffer.from(value) })));
  return { book, give, giveText };
}

test('what was noted is told, of a flow and of a group', async () => {
  const { book } = open();
  book.note({
    kind: 'source_reset',
    flow: 'east->west',
    topic: 'orders',
    partition: 3,
    text: 'lost',
    range: { site: 'east', from: 7n, to: 9n },
  });
  book.note({ kind: 'paused', flow: 'east->west', topic: '', partition: -1, text: 'by ana' });
  book.note({ kind: 'failover', flow: 'east->west', group: 'billing', text: 'moved' });
  const found = await until('all of them', () => {
    const events = book.list(all);
    return events.length === 3 && events;
  });
  const told = found.map(({ atMs, ...one }) => {
    assert.ok(atMs > 0);
    return one;
  });
  const of = { flow: 'east->west', topic: undefined, partition: undefined, group: undefined };
  const lost = { site: 'east', from: 7n, to: 9n };
  assert.deepEqual(told, [
    { ...of, kind: 'source_reset', topic: 'orders', partition: 3, text: 'lost', range: lost },
    { ...of, kind: 'paused', text: 'by ana', range: undefined },
    { ...of, kind: 'failover', group: 'billing', text: 'moved', range: undefined },
  ]);
});

test('the last of those that are asked for', () => {
  const { book, giveText } = open();
  const one = (atMs: number, kind: string): string =>
    JSON.stringify({ atMs, kind, flow: 'f', text: `${kind} ${atMs}` });
  giveText(one(1, 'a'), one(2, 'b'), one(3, 'a'), one(4, 'a'));
  const texts = (request: Partial<EventsRequest>) =>
    book.list({ ...all, ...request }).map(({ text }) => text);
  assert.deepEqual(texts({ limit: 2 }), ['a 3', 'a 4']);
  assert.deepEqual(texts({ kinds: ['b'] }), ['b 2']);
  assert.deepEqual(texts({ sinceMs: 2, kinds: ['a'] }), ['a 3', 'a 4']);
});

test('what is no event is passed over; what is held is bounded', () => {
  const { book, give, giveText } = open();
  const range = { site: 'east', from: 'many', to: '9' };
  const good = { atMs: 1, kind: 'k', flow: 'f', text: 't' };
  giveText('', '[]', 'null', '{"kind":"k"}', JSON.stringify({ ...good, range }));
  give([{ key: Buffer.from('k'), value: null }]);
  assert.deepEqual(book.list(all), []);
  giveText(...Array.from({ length: 25_000 }, (_, atMs) => JSON.stringify({ ...good, atMs })));
  const held = book.list(all);
  assert.equal(held.length, 10_000);
  assert.equal(held.at(-1)?.atMs, 24_999);
});
