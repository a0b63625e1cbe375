/** A flow in which nothing happens asks seldom, and is no slower for it when something does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PartitionStatus } from '../../src/flow/status.ts';
import { uniqueName } from '../support/clusters.ts';
import { startFlow } from '../support/flows.ts';
import { appendRecords, makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

/** Far less than a long poll of an idle source lasts. */
const soonMs = 1_500;

for (const [from, to] of [
  ['east', 'west'],
  ['west', 'east'],
] as const) {
  test(`${from}->${to}: what is new after a rest is copied at once, a new partition too`, async () => {
    await using source = await openTestCluster(from);
    const topic = uniqueName('resting');
    await makeTopic(source, topic, 1);
    const records = [{ key: null, value: Buffer.from('x'), timestampMs: Date.now() }];
    await appendRecords(source, topic, 0, records);
    const timings = { fetchWaitMs: 50 };
    await using running = await startFlow({ from, to, topics: topic, timings });
    const partition = (number: number): PartitionStatus | undefined =>
      running.flow.status().partitions.find((one) => one.partition === number);
    const copied = async (number: number, position: bigint): Promise<number> => {
      const startedMs = performance.now();
      await until(`${number} to be at ${position}`, () => {
        return partition(number)?.position === position;
      });
      return performance.now() - startedMs;
    };
    const rest = (): Promise<boolean> =>
      until('a long poll', () => Date.now() - (partition(0)?.sourceEndAsOfMs ?? Infinity) > 1_000);
    await copied(0, 1n);
    await rest();
    await appendRecords(source, topic, 0, records);
    const lateMs = await copied(0, 2n);
    assert.ok(lateMs < soonMs, `${lateMs} ms`);

    await rest();
    await source.createPartitions(topic, 2);
    await appendRecords(source, topic, 1, records);
    await until('its copying', () => partition(1)?.state === 'copying');
    const newMs = await copied(1, 1n);
    assert.ok(newMs < soonMs, `${newMs} ms`);
  });
}
