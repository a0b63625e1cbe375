/**
 * Topics that are made again, emptied, trimmed or written to by others, at either end, while a flow
 * copies and while none does: noticed, told with the exact range, and by policy gone on with.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FlowEvent } from '../../src/flow/flow-context.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import { deleteRecords } from '../support/broker-orders.ts';
import { copyBreaches, stampedFrom } from '../support/checkers.ts';
import { uniqueName } from '../support/clusters.ts';
import { copiedTo, partitionOf, pausedFor } from '../support/flow-status.ts';
import { newStateTopic, startFlow } from '../support/flows.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const timings = { retryDelayMsMax: 1_000 };
const said = { by: 'ana', why: 'a test', atMs: 0, untilMs: undefined };
const going = { onSourceReset: 'continue', onTargetReset: 'continue' } as const;

function numbered(count: number, life = 'one'): PlainRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`life ${life}, record ${index}`),
    timestampMs: Date.now(),
  }));
}

async function makeAgain(cluster: KafkaCluster, topic: string): Promise<void> {
  const idOf = async (): Promise<string | undefined> =>
    (await cluster.metadata()).topics.get(topic)?.topicId;
  const before = await idOf();
  await cluster.deleteTopics([topic]);
  await until(`${topic} to be made again`, async () => {
    const [made] = await cluster.createTopics([
      { name: topic, partitions: 1, replicationFactor: 1, configs: {} },
    ]);
    const now = await idOf();
    return (made?.errorCode === 0 || made?.errorCode === 36) && now !== undefined && now !== before;
  });
}

/** Each event as its kind and its range; once, however often it was met. */
function told(events: readonly FlowEvent[]): string[] {
  return events.map(({ kind, range }) =>
    range === undefined ? kind : `${kind} [${range.from}, ${range.to}) at ${range.site}`,
  );
}

for (const [from, to] of [
  ['east', 'west'],
  ['west', 'east'],
] as const) {
  describe(`a flow ${from}->${to}`, () => {
    /** Everything of a life of the source is at the target, once, in order, unchanged. */
    const assertCopied = async (topic: string, generation = 1, skipped = 0): Promise<void> => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const born = await readAll(source, topic, 0);
      const copies = await readAll(target, `${from}.${topic}`, 0);
      const originOf = stampedFrom(from, topic, 0);
      const copied = copies.filter((one) => originOf(one)?.generation === generation);
      const ends = { source: born.slice(skipped), target: copied, originOf, generation };
      assert.deepEqual(copyBreaches(ends), []);
    };

    for (const [length, count] of [
      ['shorter', 30],
      ['longer', 300],
    ] as const) {
      test(`a source made again, ${length} than before, is a life of its own`, async () => {
        await using source = await openTestCluster(from);
        const topic = uniqueName('again');
        const stateTopic = await newStateTopic(to);
        await makeTopic(source, topic);
        await appendRecords(source, topic, 0, numbered(100));
        {
          await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
          await copiedTo(running, 100);
          await makeAgain(source, topic);
          await appendRecords(source, topic, 0, numbered(count, 'two'));
          await pausedFor(running, /^source_reset: .* was deleted and made again; with onSource/);
          assert.deepEqual(told(running.events), ['source_reset']);
        }
        await using running = await startFlow({
          ...{ from, to, topics: topic, stateTopic, timings, settings: going },
        });
        await copiedTo(running, count);
        await appendRecords(source, topic, 0, numbered(10, 'two'));
        await copiedTo(running, count + 10);
        assert.deepEqual(told(running.events), ['source_reset']);
        await assertCopied(topic, 2);
      });
    }

    test('what a source that was made again never gave is named', async () => {
      await using source = await openTestCluster(from);
      const topic = uniqueName('again');
      const stateTopic = await newStateTopic(to);
      await makeTopic(source, topic);
      await appendRecords(source, topic, 0, numbered(100));
      await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
      await copiedTo(running, 100);
      running.controls.setOverrides([
        { kind: 'pause', flow: `${from}->${to}`, topic: undefined, partition: undefined, ...said },
      ]);
      await appendRecords(source, topic, 0, numbered(50));
      await until('its end to be seen', () => partitionOf(running)?.sourceEnd === 150n);
      await makeAgain(source, topic);
      running.controls.setOverrides([]);
      await pausedFor(running, /\[100, 150\) at \w+ of its earlier life were never copied/);
      // Twice, when it was noticed in between that it was gone.
      assert.deepEqual([...new Set(told(running.events))], [`source_reset [100, 150) at ${from}`]);
    });

    test('a target deleted under load: others go on, nothing stray in it, all copied again', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('target-again');
      const other = `${topic}-other`;
      const stateTopic = await newStateTopic(to);
      for (const one of [topic, other]) await makeTopic(source, one);
      let count = 0;
      const append = async (): Promise<void> => {
        for (const one of [topic, other]) await appendRecords(source, one, 0, numbered(20));
        count += 20;
      };
      await append();
      {
        const topics = `${topic}.*`;
        await using running = await startFlow({ from, to, topics, stateTopic, timings });
        await copiedTo(running, count, topic);
        await target.deleteTopics([`${from}.${topic}`]);
        // The flow makes it again by itself.
        await until('the pause', async () => {
          await append();
          return /^target_reset/.test(partitionOf(running, topic)?.why ?? '');
        });
        await pausedFor(running, /the copy of .* was deleted and made again; \[0, \d+\) at/, topic);
        await append();
        await copiedTo(running, count, other);
        assert.match(told(running.events).join(), /^target_reset \[0, \d+\) at \w+$/);
        assert.deepEqual(await readAll(target, `${from}.${topic}`, 0), []);
      }
      await using running = await startFlow({
        ...{ from, to, topics: topic, stateTopic, timings, settings: going },
      });
      await copiedTo(running, count);
      await append();
      await copiedTo(running, count);
      await assertCopied(topic, 2);
    });

    test('a target emptied by retention is not a reset: copying goes on where it stood', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('emptied');
      const stateTopic = await newStateTopic(to);
      await makeTopic(source, topic);
      await appendRecords(source, topic, 0, numbered(100));
      for (const round of [1, 2, 3]) {
        await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
        await copiedTo(running, 100 * round);
        await deleteRecords(target, `${from}.${topic}`, 0, -1);
        await appendRecords(source, topic, 0, numbered(100));
        await copiedTo(running, 100 * (round + 1));
        await assertCopied(topic, 1, 100 * round);
        await deleteRecords(target, `${from}.${topic}`, 0, -1);
        assert.deepEqual(running.events, []);
      }
    });

    test('a compacted target whose last record was a tombstone, and is gone, is whole', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('tombstone');
      const stateTopic = await newStateTopic(to);
      await makeTopic(source, topic, 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '500',
        'min.cleanable.dirty.ratio': '0.01',
        'delete.retention.ms': '0',
      });
      const [record] = numbered(1);
      await appendRecords(source, topic, 0, [record!, { ...record!, value: null }]);
      const left = async (): Promise<number> =>
        (await readAll(target, `${from}.${topic}`, 0)).length;
      await until(
        'the tombstone to be gone',
        async () => {
          // Each takeover adds a marker, and so lets the segments before it be cleaned.
          await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
          await copiedTo(running, 2);
          assert.deepEqual(running.events, []);
          return (await left()) === 0;
        },
        60_000,
      );
      await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
      await appendRecords(source, topic, 0, numbered(1));
      await copiedTo(running, 3);
      assert.equal(await left(), 1);
      assert.deepEqual(running.events, []);
    });

    test('retention that outran copying: the range is named, then passed over', async () => {
      await using source = await openTestCluster(from);
      const topic = uniqueName('outran');
      const stateTopic = await newStateTopic(to);
      await makeTopic(source, topic);
      await appendRecords(source, topic, 0, numbered(100));
      {
        await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
        await copiedTo(running, 100);
      }
      await appendRecords(source, topic, 0, numbered(100));
      await deleteRecords(source, topic, 0, 150);
      const lost = [`source_reset [100, 150) at ${from}`];
      {
        await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
        await pausedFor(running, /\[100, 150\) at \w+ left the log before they were copied/);
        assert.deepEqual(told(running.events), lost);
      }
      await using running = await startFlow({
        ...{ from, to, topics: topic, stateTopic, timings, settings: going },
      });
      await copiedTo(running, 200);
      assert.deepEqual(told(running.events), lost);
      await using target = await openTestCluster(to);
      const copied = await readAll(target, `${from}.${topic}`, 0);
      assert.equal(copied.length, 150);
    });

    test('a foreign writer is named with the range, while copying and after', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('foreign');
      const remote = `${from}.${topic}`;
      const stateTopic = await newStateTopic(to);
      await makeTopic(source, topic);
      await appendRecords(source, topic, 0, numbered(10));
      const write = async (count: number): Promise<string> => {
        const [end] = await target.listOffsets([{ topic: remote, partition: 0 }], 'latest');
        await appendRecords(target, remote, 0, numbered(count, 'foreign'));
        return `foreign_writer [${end!.offset}, ${end!.offset + BigInt(count)}) at ${to}`;
      };
      {
        await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
        await copiedTo(running, 10);
        const wanted = await write(3);
        await appendRecords(source, topic, 0, numbered(10));
        await copiedTo(running, 20);
        assert.deepEqual(told(running.events), [wanted]);
      }
      const wanted = await write(5);
      await using running = await startFlow({ from, to, topics: topic, stateTopic, timings });
      await appendRecords(source, topic, 0, numbered(10));
      await copiedTo(running, 30);
      assert.deepEqual(told(running.events), [wanted]);
      const copied = await readAll(target, remote, 0);
      const originOf = stampedFrom(from, topic, 0);
      const ours = copied.filter((one) => originOf(one) !== undefined);
      assert.equal(copied.length, 38);
      const born = await readAll(source, topic, 0);
      assert.deepEqual(copyBreaches({ source: born, target: ours, originOf }), []);
    });
  });
}
