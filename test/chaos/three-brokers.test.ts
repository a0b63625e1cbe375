/**
 * Flows in this process over two sites of three brokers each: logs that an unclean election made
 * shorter, at both ends.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { FlowEvent } from '../../src/flow/flow-context.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox, SandboxSite } from '../../src/sandbox/sandbox.ts';
import { electLeaders, setReplicas } from '../support/broker-orders.ts';
import { copyBreaches, stampedFrom } from '../support/checkers.ts';
import { kafkaVersions, uniqueName, type TestSite } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { copiedTo, pausedFor } from '../support/flow-status.ts';
import { newStateTopic, startFlow } from '../support/flows.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-three-'));
const settleMs = 60_000;
const extraConfig = { 'broker.session.timeout.ms': '6000' };
let sandbox: Sandbox | undefined;

before(async () => {
  const sites = (['east', 'west'] as const).map((name) => ({
    ...{ name, kafkaVersion: kafkaVersions[name], brokers: 3 as const, extraConfig },
  }));
  sandbox = await openSandbox({ dir, sites, isTied: true }, testDeps());
  for (const { name, brokers } of sandbox.sites) {
    process.env[`CAUSEWAY_TEST_${name.toUpperCase()}`] = brokers.join(',');
  }
});

after(async () => {
  await sandbox?.down();
  rmSync(dir, { recursive: true, force: true });
});

function siteOf(name: TestSite): SandboxSite {
  if (sandbox === undefined) throw new Error('no sandbox');
  return sandbox.site(name);
}

function numbered(count: number, life: string): PlainRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`${life} ${index}`),
    timestampMs: Date.now(),
  }));
}

/** Only two brokers have it: what one alone had taken goes when the other leads. */
async function cutEnd(
  site: TestSite,
  cluster: KafkaCluster,
  topics: readonly string[],
  whileAlone: () => Promise<void>,
): Promise<void> {
  const brokers = siteOf(site);
  await brokers.kill(2);
  await whileAlone();
  await brokers.kill(1);
  await brokers.start(2);
  for (const topic of topics) {
    await until(
      `${topic} to be led by a broker that lacks records`,
      async () => {
        await electLeaders(cluster, topic, [0], 'unclean').catch(() => undefined);
        return (await cluster.metadata()).topics.get(topic)?.partitions[0]?.leader === 2;
      },
      settleMs,
    );
  }
}

async function makeOfTwo(cluster: KafkaCluster, topic: string): Promise<void> {
  await setReplicas(cluster, topic, [[1, 2]]);
  await until(
    `${topic} to be at two brokers`,
    async () => {
      await electLeaders(cluster, topic, [0], 'preferred').catch(() => undefined);
      const found = (await cluster.metadata()).topics.get(topic)?.partitions[0];
      return found?.leader === 1 && found.replicas.join() === '1,2';
    },
    settleMs,
  );
}

function told(events: readonly FlowEvent[], topic: string): string[] {
  return events
    .filter((event) => event.topic === topic)
    .map(({ kind, range }) => `${kind} [${range?.from ?? ''}, ${range?.to ?? ''}) ${range?.site}`);
}

test('a source and a target made shorter by unclean elections: named, then gone on with', async () => {
  await using east = await openTestCluster('east');
  await using west = await openTestCluster('west');
  const name = uniqueName('cut');
  const [shorter, longer, kept] = [`${name}-shorter`, `${name}-longer`, `${name}-kept`] as const;
  const all = [shorter, longer, kept];
  for (const topic of all) await makeTopic(east, topic, 1, {}, 3);
  const stateTopic = await newStateTopic('west', 3);
  const flow = { from: 'east', to: 'west', topics: `${name}.*`, stateTopic } as const;
  const timings = { retryDelayMsMax: 1_000 };
  {
    await using running = await startFlow({ ...flow, timings });
    for (const topic of all) await appendRecords(east, topic, 0, numbered(100, 'kept'));
    for (const topic of all) await copiedTo(running, 100, topic);
    for (const topic of [shorter, longer]) await makeOfTwo(east, topic);
    await makeOfTwo(west, `east.${kept}`);
    await cutEnd('east', east, [shorter, longer], async () => {
      for (const topic of [shorter, longer]) {
        await appendRecords(east, topic, 0, numbered(50, 'lost'));
        await copiedTo(running, 150, topic);
      }
    });
    await appendRecords(east, shorter, 0, numbered(10, 'new'));
    await appendRecords(east, longer, 0, numbered(200, 'new'));
    for (const topic of [shorter, longer]) {
      await pausedFor(running, /^source_reset: .* was truncated at 100; \[100, 150\)/, topic);
      assert.deepEqual(told(running.events, topic), ['source_reset [100, 150) east']);
    }
    await siteOf('east').start(1);
    await cutEnd('west', west, [`east.${kept}`], async () => {
      await appendRecords(east, kept, 0, numbered(50, 'copied again'));
      await copiedTo(running, 150, kept);
    });
    await pausedFor(running, /^target_reset: .* was truncated at \d+; \[\d+, \d+\) at west/, kept);
    assert.match(told(running.events, kept).join(), /^target_reset \[\d+, \d+\) west$/);
    await siteOf('west').start(1);
  }
  const settings = { onSourceReset: 'continue', onTargetReset: 'continue' } as const;
  await using running = await startFlow({ ...flow, timings, settings });
  for (const topic of all) await appendRecords(east, topic, 0, numbered(5, 'after'));
  for (const [topic, count] of [
    [shorter, 115],
    [longer, 305],
    [kept, 155],
  ] as const) {
    await copiedTo(running, count, topic);
    const originOf = stampedFrom('east', topic, 0);
    const generation = topic === kept ? 1 : 2;
    const source = await readAll(east, topic, 0);
    const copies = await readAll(west, `east.${topic}`, 0);
    const target = copies.filter((one) => originOf(one)?.generation === generation);
    // What lies before a cut was copied in the life before.
    const born = topic === kept ? source : source.slice(100);
    assert.deepEqual(copyBreaches({ source: born, target, originOf, generation }), []);
    const map = running.maps.book.reader('east->west', topic, 0);
    const last = map?.forward(BigInt(count - 1));
    assert.deepEqual([last?.certainty, last?.offset], ['exact', BigInt(copies.at(-1)!.offset)]);
    // Not ahead: a group that has not read record 50 finds it in what follows.
    const early = Number(map?.forward(50n).offset);
    assert.ok(early <= copies.find((one) => originOf(one)?.offset === 50)!.offset);
    if (topic !== longer) continue;
    // Of a group that had read 150 records before the cut: what is new from 100 on it has not read.
    const { epochs } = running.maps;
    const before = epochs.chain({ flow: 'east->west', topic, partition: 0 }, 1).starts.at(-1);
    const committed = map?.forward(150n, before?.epoch);
    assert.equal(committed?.reason, 'generation_changed');
    assert.ok(Number(committed.offset) <= target[0]!.offset);
    assert.equal(map?.forward(150n).certainty, 'exact');
  }
});
