/** What is stored of offset maps, in which order, and what is taken back from the state topic. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MapStore } from '../../../src/agent/map-store.ts';
import { must } from '../../../src/base/assert.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import type { StoredSegment } from '../../../src/offsets/run.ts';
import { testDeps } from '../../support/deps.ts';

const id = { flow: 'east->west', topic: 'orders', partition: 0, generation: 1 };

/** A state topic in memory, whose appends fail while it is told to. */
class MemoryLog implements StateLog {
  readonly topic = '__causeway-offset-maps';
  readonly records: StateRecord[] = [];
  isFailing = false;
  #onRecords: (records: readonly FollowedRecord[]) => void = () => undefined;

  async append(records: readonly StateRecord[]): Promise<void> {
    if (this.isFailing) throw new Error('no leader');
    this.records.push(...records);
    await Promise.resolve();
  }

  async follow(listener: Parameters<StateLog['follow']>[0], signal: AbortSignal): Promise<void> {
    this.#onRecords = listener.onRecords;
    listener.onSynced();
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
  }

  /** Delivers records as if they had just been written, by whomever. */
  deliver(records: readonly StateRecord[]): void {
    this.#onRecords(
      records.map((record, at) => ({
        ...record,
        partition: 0,
        offset: BigInt(at),
        timestampMs: 0,
      })),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

function names(records: readonly StateRecord[]): string[] {
  return records.map(({ key, value }) => `${key.toString()}${value === null ? ' removed' : ''}`);
}

/** Runs the store as an agent does, but for its own timing. */
async function running(work: (store: MapStore, log: MemoryLog) => Promise<void>): Promise<void> {
  const log = new MemoryLog();
  const store = new MapStore(log, testDeps());
  const stop = new AbortController();
  const ended = store.run(stop.signal);
  try {
    await work(store, log);
  } finally {
    log.isFailing = false;
    stop.abort();
    await ended;
  }
}

function copiedElsewhere(takeover: number, source: number): readonly StoredSegment[] {
  const book = openMapBook();
  const writer = book.writer(id);
  writer.begin(takeover, { source, target: takeover + 1 }, source === 0);
  writer.append({ sourceOffset: source, targetOffset: takeover + 1, length: 10 });
  return book.takeChanged();
}

test('what could not be stored is stored before what came later', async () => {
  await running(async (store, log) => {
    const first = store.book.writer(id);
    first.begin(1, { source: 0, target: 2 }, true);
    first.append({ sourceOffset: 0, targetOffset: 2, length: 5 });
    log.isFailing = true;
    await assert.rejects(store.store(), /no leader/);
    const second = store.book.writer({ ...id, partition: 1 });
    second.begin(1, { source: 0, target: 2 }, true);
    log.isFailing = false;
    await store.store();
    const prefix = 'map/1/east->west/orders';
    assert.deepEqual(names(log.records), [`${prefix}/0/1/1/0`, `${prefix}/1/1/1/0`]);
  });
});

test('records of its own that come round change nothing; those of others do', async () => {
  await running(async (store, log) => {
    const writer = store.book.writer(id);
    writer.begin(1, { source: 0, target: 2 }, true);
    writer.append({ sourceOffset: 0, targetOffset: 2, length: 5 });
    await store.store();
    const told: string[] = [];
    store.onStored((segments) => told.push(...names(segments)));
    log.deliver(log.records);
    assert.deepEqual(told, []);
    // Another agent takes over, and takes in what was told here.
    const others = copiedElsewhere(20, 5);
    const own = must(log.records[0], 'a record').key;
    log.deliver([...others, { key: own, value: null }]);
    assert.deepEqual(told, [...names(others), `${own.toString()} removed`]);
    assert.equal(store.book.reader(id.flow, id.topic, 0)?.forward(6n).offset, 22n);
  });
});

test('what a peer tells again is not stored again', async () => {
  await running(async (store, log) => {
    const segments = copiedElsewhere(1, 0);
    await store.take(segments);
    await store.take(segments);
    assert.deepEqual(names(log.records), names(segments));
    // What was taken and not stored is not lost either.
    log.isFailing = true;
    const more = copiedElsewhere(40, 10);
    await assert.rejects(store.take(more), /no leader/);
    log.isFailing = false;
    await store.take(more);
    assert.deepEqual(names(log.records), names([...segments, ...more]));
  });
});

const copy = { flow: 'east->west', topic: 'orders', partition: 0 };
const producer = { producerId: 7n, producerEpoch: 1 };

function kindOf({ key, value }: StateRecord): string {
  return `${key.toString('latin1').split('/')[0]}${value === null ? ' forgotten' : ''}`;
}

test('the journal of the pass lane is forgotten behind the map that says the same, never alone', async () => {
  const log = new MemoryLog();
  const maps = new MapStore(log, testDeps());
  for (const number of [0, 1]) {
    const runs = [{ sequence: number * 10, sourceOffset: number * 20 }];
    await maps.passes.put({ copy, producer, number }, { generation: 1, runs });
  }
  const map = maps.book.writer({ ...copy, generation: 1 });
  map.begin(1, { source: 0, target: 1 }, true);
  map.append({ sourceOffset: 0, targetOffset: 1, length: 12 });
  maps.passes.retire(copy, producer, 1);
  log.isFailing = true;
  await assert.rejects(maps.store(), /no leader/);
  const first = { baseSequence: 0, recordCount: 1 };
  assert.ok(maps.passes.find(copy, producer, first), 'what is not stored is not forgotten');
  log.isFailing = false;
  log.records.length = 0;
  await maps.store();
  assert.deepEqual([...new Set(log.records.map(kindOf))], ['map', 'pass forgotten']);
  const { length } = log.records;
  assert.equal(maps.passes.find(copy, producer, first), undefined);
  await maps.store();
  assert.equal(log.records.length, length, 'nothing has changed since');
});
