import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { siteName } from '../../../src/base/ids.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import { Translator } from '../../../src/groups/translator.ts';
import type { ListedOffset } from '../../../src/kafka/cluster.ts';
import type { StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { CheckpointTopic } from '../../../src/mm2/checkpoint-topic.ts';
import { Checkpoints } from '../../../src/mm2/checkpoints.ts';
import { isWithdrawn, readCheckpointKey } from '../../../src/mm2/format.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import type { Topology } from '../../../src/topology/model.ts';
import { parseTopology } from '../../../src/topology/parse.ts';
import { testDeps } from '../../support/deps.ts';
import { until } from '../../support/until.ts';

function example(name: string): Topology {
  const url = new URL(`../../../topology/${name}.yaml`, import.meta.url);
  return parseTopology(readFileSync(url, 'utf8'), name);
}

const [east, west] = [siteName('east'), siteName('west')];

/** West's agent: 1,000 records of `orders/0` are here, each one further than at east. */
function openWest(topology = example('pair')) {
  const positions = new PositionsStore();
  const maps = openMapBook();
  const writer = maps.writer({ flow: 'east->west', topic: 'orders', partition: 0, generation: 1 });
  writer.begin(1, { source: 0, target: 1 }, true);
  writer.append({ sourceOffset: 0, targetOffset: 1, length: 1_000 });
  const written: string[] = [];
  let listener: Parameters<StateLog['follow']>[0] | undefined;
  const log: StateLog = {
    topic: 'east.checkpoints.internal',
    append: (records: readonly StateRecord[]) => {
      const fresh = records.map((record, at) => {
        const offset = BigInt(written.length + at);
        return { ...record, partition: 0, offset, timestampMs: 0 };
      });
      for (const { key, value } of fresh) {
        const { group, topic, partition } = readCheckpointKey(key) ?? {};
        const isNone = value === null || isWithdrawn(value);
        const offset = isNone ? 'withdrawn' : String(value.readBigInt64BE(10));
        written.push(`${group} ${topic}/${partition} ${offset}`);
      }
      listener?.onRecords(fresh);
      return Promise.resolve();
    },
    follow: (one) => {
      listener = one;
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const starts = new Map<string, ListedOffset>();
  const clock = { nowMs: 0 };
  const deps = { ...testDeps(), clock: { ...systemClock, monotonicMs: () => clock.nowMs } };
  const opened: string[] = [];
  const checkpoints = new Checkpoints(
    {
      site: west,
      topology: () => topology,
      positions,
      translator: () => new Translator({ topology, maps }),
      cluster: {
        listOffsets: (asked) =>
          Promise.resolve(
            asked.map(({ topic, partition }) => {
              const none = { errorCode: 0, offset: 0n, timestampMs: -1, leaderEpoch: -1 };
              return starts.get(`${topic}/${partition}`) ?? { topic, partition, ...none };
            }),
          ),
      },
      open: (from) => {
        opened.push(from);
        const topic = new CheckpointTopic({ log, deleteBefore: () => Promise.resolve() }, deps);
        void topic.run(new AbortController().signal);
        return Promise.resolve(topic);
      },
      intervalMs: 1,
      wholeMs: 60_000,
    },
    deps,
  );
  let asOfMs = 0;
  const observe = (group: string, offsets: Record<string, bigint>): void => {
    asOfMs += 1;
    const found = Object.entries(offsets).map(([topic, offset]) => {
      return { topic, partition: 0, offset, leaderEpoch: -1, metadata: '' };
    });
    positions.observe(east, group, found, asOfMs);
  };
  return { observe, writer, written, starts, checkpoints, clock, opened };
}

test('where a group goes on; what cannot be said is not written, and withdrawn where it was', async () => {
  const { observe, written, checkpoints, clock, opened } = openWest();
  observe('billing', { orders: 400n, 'west.orders': 3n });
  observe('console-consumer-1', { orders: 400n });
  await checkpoints.round();
  assert.deepEqual(written, ['billing east.orders/0 401']);
  observe('billing', {});
  clock.nowMs += 60_000;
  await checkpoints.round();
  assert.deepEqual(written.slice(1), ['billing east.orders/0 withdrawn']);
  assert.deepEqual(opened, ['east']);
});

test('never before what is still held, nor in a topic that is gone', async () => {
  const { observe, written, starts, checkpoints, clock } = openWest();
  const start = { topic: 'east.orders', partition: 0, timestampMs: -1, leaderEpoch: -1 };
  observe('billing', { orders: 400n });
  starts.set('east.orders/0', { ...start, errorCode: 0, offset: 700n });
  await checkpoints.round();
  starts.set('east.orders/0', { ...start, errorCode: 3, offset: -1n });
  clock.nowMs += 60_000;
  await checkpoints.round();
  assert.deepEqual(written, ['billing east.orders/0 700', 'billing east.orders/0 withdrawn']);
});

test('as it changes, and again while better is to be expected', async () => {
  const { observe, writer, written, checkpoints } = openWest();
  const stop = new AbortController();
  const running = checkpoints.run(stop.signal);
  observe('billing', { orders: 1_200n });
  await until('the end of the copy', () => written.at(-1) === 'billing east.orders/0 1001');
  writer.append({ sourceOffset: 1_000, targetOffset: 1_001, length: 500 });
  await until('the record itself', () => written.at(-1) === 'billing east.orders/0 1201');
  observe('billing', { orders: 7n });
  await until('the way back', () => written.at(-1) === 'billing east.orders/0 8');
  stop.abort();
  await running;
  assert.equal(written.length, 3);
});

test('of a site whose records never come here there is no topic', async () => {
  const { observe, written, checkpoints, opened } = openWest(example('aggregate'));
  observe('billing', { 'metrics.a': 400n });
  await checkpoints.round();
  assert.deepEqual([written, opened], [[], []]);
});
