/** Without the right to read the log groups are asked; offsets that expire are known to be gone. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import type { ApiRequest } from '../../src/kafka/api-request.ts';
import { Scope } from '../../src/base/scope.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { kafkaVersions } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { ReadPositions } from '../support/positions.ts';
import { makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-rights-'));
const deps = testDeps();
const context = { env: process.env, isTied: true, onProgress: () => undefined };
const extraConfig = {
  'offsets.retention.check.interval.ms': '500',
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
};

after(() => rmSync(dir, { recursive: true }));

/** OffsetCommit v4: the last version in which a commit has a time to live of its own. */
function commitFor(
  group: string,
  topic: string,
  offset: bigint,
  liveMs: bigint,
): ApiRequest<number> {
  return {
    apiName: `OffsetCommit of ${group}`,
    apiKey: 8,
    apiVersion: 4,
    isFlexible: false,
    encode(writer) {
      writer.string(group).int32(-1).string('').int64(liveMs);
      writer.array([topic], (name) => {
        writer.string(name).array([0], (partition) => {
          writer.int32(partition).int64(offset).nullableString('');
        });
      });
    },
    decode(reader) {
      reader.int32();
      const codes = reader.array(() => {
        reader.string();
        return reader.array(() => {
          reader.int32();
          return reader.int16();
        });
      });
      return codes.flat()[0] ?? -1;
    },
  };
}

async function denyReading(cluster: KafkaCluster, brokers: readonly string[]): Promise<void> {
  const { Kafka, logLevel, AclOperationTypes, AclPermissionTypes, AclResourceTypes } = kafkajs;
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const acl = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: '__consumer_offsets',
    resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
    principal: 'User:*',
    host: '*',
    operation: AclOperationTypes.READ,
    permissionType: AclPermissionTypes.DENY,
  };
  await admin.createAcls({ acl: [acl] });
  await admin.disconnect();
  await until('the right to be gone', async () => {
    const topic = await cluster.topicMetadata('__consumer_offsets');
    await using link = await cluster.openLink(topic?.partitions[0]?.leader ?? 1, 'test');
    const partition = { topic: '__consumer_offsets', partition: 0, offset: 0n, bytesMax: 1000 };
    const answer = await link.fetch({
      partitions: [partition],
      maxWaitMs: 10,
      minBytes: 1,
      maxBytes: 1000,
      isolation: 'read_uncommitted',
    });
    const code = answer.partitions[0]?.errorCode;
    answer.release();
    return code === 29;
  });
}

for (const site of ['east', 'west'] as const) {
  test(`expiry, and a right that is taken away, ${kafkaVersions[site]}`, async () => {
    const sites = [{ name: site, kafkaVersion: kafkaVersions[site], extraConfig }];
    const own = path.join(dir, site);
    const sandbox = await openSandbox({ dir: own, sites, isTied: true }, deps);
    await using scope = new Scope();
    scope.defer(() => findSandbox(own, context, deps).down());
    const { brokers } = sandbox.site(site);
    await using cluster = await openCluster({ name: site, brokers, clientId: 'rights' }, deps);
    await makeTopic(cluster, 'orders');
    {
      await using live = new ReadPositions(cluster);
      const request = commitFor('short', 'orders', 7n, 1_500n);
      assert.equal(
        await cluster.control.toCoordinator('group', 'short', request, (code) => code),
        0,
      );
      await live.fromLog();
      const stays = [{ topic: 'orders', partition: 0, offset: 8n, metadata: '' }];
      await cluster.commitGroupOffsets('long', stays);
      assert.deepEqual(await live.refreshed('short'), ['orders/0@7 -1 ']);
      await until('the offset to expire', () => live.known('short').length === 0, 30_000);
      assert.deepEqual(await live.asked('short'), []);
      assert.deepEqual(await live.refreshed('long'), ['orders/0@8 -1 ']);
    }

    await denyReading(cluster, brokers);
    await using live = new ReadPositions(cluster);
    await until('groups to be asked', () => live.reader.source().mode === 'polling');
    assert.match(live.reader.source().why, /__consumer_offsets/);
    await until('the group', () => live.known('long').join() === 'orders/0@8 -1 ');
    const next = [{ topic: 'orders', partition: 0, offset: 9n, metadata: '' }];
    await cluster.commitGroupOffsets('long', next);
    await until('the next commit', () => live.known('long').join() === 'orders/0@9 -1 ');
    await live.checkAll(['long', 'short']);
  });
}
