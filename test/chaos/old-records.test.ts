/**
 * The one limit of fencing, on both versions of Kafka: brokers age what they know of a producer by
 * the timestamps of its records. A holder that was fenced may write again once that is forgotten,
 * and only then; so agents write what is old only while they are sure to be the holder.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Fence } from '../../src/kafka/cluster.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { kafkaVersions } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { appendBatch, makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-old-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const yearsMs = 2 * 365 * 24 * 60 * 60 * 1000;
const fencedCode = 47;
const expiry = (ms: number): Record<string, string> => ({
  'producer.id.expiration.ms': String(ms),
  'producer.id.expiration.check.interval.ms': '500',
});

function fence(cluster: KafkaCluster, topic: string): Promise<Fence> {
  const onProducerId = (): Promise<void> => Promise.resolve();
  return cluster.fence({ topic, partition: 0, transactionalId: `old.${topic}`, onProducerId });
}

async function write(
  cluster: KafkaCluster,
  topic: string,
  holder: Fence,
  baseSequence: number,
  ageMs: number,
): Promise<number> {
  const record = { key: null, value: Buffer.from('v'), timestampMs: Date.now() - ageMs };
  const batch = encodeBatch([record], { ...holder, baseSequence });
  return (await appendBatch(cluster, topic, 0, batch)).errorCode;
}

test('a fence holds until its producer is forgotten, and that depends on the age of records', async () => {
  const sites = (['east', 'west'] as const).map((name) => ({
    ...{ name, kafkaVersion: kafkaVersions[name], extraConfig: expiry(4_000) },
  }));
  await using sandbox = await openSandbox({ dir, sites, isTied: true }, testDeps());
  for (const { name, brokers } of sandbox.sites) {
    const settings = { name, brokers, clientId: 'old-test' };
    await using cluster = await openCluster(settings, testDeps());
    for (const ageMs of [0, yearsMs]) {
      const topic = `aged-${ageMs}`;
      await makeTopic(cluster, topic);
      const before = await fence(cluster, topic);
      assert.equal(await write(cluster, topic, before, 0, ageMs), 0);
      const holder = await fence(cluster, topic);
      // The marker itself is new: the fence stands until the holder has written something old.
      assert.equal(await write(cluster, topic, before, 1, ageMs), fencedCode);
      assert.equal(await write(cluster, topic, holder, 0, ageMs), 0);
      if (ageMs === 0) {
        assert.equal(await write(cluster, topic, before, 1, ageMs), fencedCode);
        continue;
      }
      // With the next sweep it is gone: what the older holder had sent off would be taken.
      await until('the fence to be forgotten', async () => {
        const code = await write(cluster, topic, before, 1, ageMs);
        return code !== fencedCode && code === 0;
      });
    }
  }
});
