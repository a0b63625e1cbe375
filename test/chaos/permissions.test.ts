/**
 * Permissions taken away from a running flow and given back, over two sites with an authorizer.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { addAcls, removeAcls, type AclRule } from '../support/broker-orders.ts';
import { copyBreaches, stampedFrom } from '../support/checkers.ts';
import { kafkaVersions, uniqueName } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { copiedTo, partitionOf, pausedFor } from '../support/flow-status.ts';
import { startFlow } from '../support/flows.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-permissions-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const extraConfig = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

test('a permission taken away pauses its topic alone; given back, it goes on by itself', async () => {
  const sites = (['east', 'west'] as const).map((name) => ({
    ...{ name, kafkaVersion: kafkaVersions[name], extraConfig },
  }));
  await using sandbox = await openSandbox({ dir, sites, isTied: true }, testDeps());
  for (const { name, brokers } of sandbox.sites) {
    process.env[`CAUSEWAY_TEST_${name.toUpperCase()}`] = brokers.join(',');
  }
  await using east = await openTestCluster('east');
  await using west = await openTestCluster('west');
  const name = uniqueName('secret');
  const [topic, other] = [`${name}-a`, `${name}-b`];
  for (const one of [topic, other]) await makeTopic(east, one);
  const timings = { retryDelayMsMax: 1_000 };
  await using running = await startFlow({ from: 'east', to: 'west', topics: `${name}.*`, timings });
  const one = { key: null, value: Buffer.from('v'), timestampMs: Date.now() };
  const records = Array.from({ length: 10 }, () => one);
  let count = 0;
  const append = async (): Promise<void> => {
    for (const one of [topic, other]) await appendRecords(east, one, 0, records);
    count += 10;
  };
  await append();
  for (const one of [topic, other]) await copiedTo(running, count, one);
  const cases: readonly (readonly [KafkaCluster, string, AclRule['operation']])[] = [
    [east, topic, 'read'],
    [east, topic, 'describe'],
    [west, `east.${topic}`, 'write'],
    [west, `east.${topic}`, 'describe'],
  ];
  for (const [cluster, denied, operation] of cases) {
    const deny: AclRule = { topic: denied, operation, permission: 'deny' };
    await addAcls(cluster, [{ topic: denied, operation: 'all', permission: 'allow' }, deny]);
    // The broker learns of it in its own time.
    await until('the permission to be missed', async () => {
      if (cluster === west || operation === 'read') await append();
      return partitionOf(running, topic)?.state === 'paused';
    });
    await pausedFor(running, /^kafka_authorization: /, topic);
    await copiedTo(running, count, other);
    assert.equal(running.flow.status().state, 'blocked');
    await removeAcls(cluster, [deny]);
    await copiedTo(running, count, topic);
  }
  assert.deepEqual(running.events, []);
  const originOf = stampedFrom('east', topic, 0);
  const source = await readAll(east, topic, 0);
  const target = await readAll(west, `east.${topic}`, 0);
  assert.deepEqual(copyBreaches({ source, target, originOf }), []);
});
