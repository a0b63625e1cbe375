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
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox, SandboxSite } from '../../src/sandbox/sandbox.ts';
import type { NameFilter } from '../../src/topology/model.ts';
import { electLeaders, setReplicas } from '../support/broker-orders.ts';
import { copyBreaches, stampedFrom } from '../support/checkers.ts';
import { kafkaVersions, uniqueName, type TestSite } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { copiedTo, partitionOf, pausedFor } from '../support/flow-status.ts';
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

const only = (...include: string[]): NameFilter => ({ include, exclude: [] });

function valuesOf(records: readonly DecodedRecord[]): string[] {
  return records.map(({ value }) => String(value));
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
  const [passed, keptPassed] = [`${name}-pass`, `${name}-kept-pass`] as const;
  const cutAtSource: readonly string[] = [shorter, longer, passed];
  const cutAtTarget = [kept, keptPassed];
  const all = [...cutAtSource, ...cutAtTarget];
  for (const topic of all) await makeTopic(east, topic, 1, {}, 3);
  const stateTopic = await newStateTopic('west', 3);
  const flow = { from: 'east', to: 'west', topics: `${name}.*`, stateTopic } as const;
  const timings = { retryDelayMsMax: 1_000 };
  const lane = { default: 'stamp', pass: only('.*-pass'), stamp: only() } as const;
  {
    await using running = await startFlow({ ...flow, timings, settings: { lane } });
    for (const topic of all) await appendRecords(east, topic, 0, numbered(100, 'kept'));
    for (const topic of all) await copiedTo(running, 100, topic);
    assert.equal(partitionOf(running, passed)?.why, 'pass lane');
    for (const topic of cutAtSource) await makeOfTwo(east, topic);
    for (const topic of cutAtTarget) await makeOfTwo(west, `east.${topic}`);
    await cutEnd('east', east, cutAtSource, async () => {
      for (const topic of cutAtSource) await appendRecords(east, topic, 0, numbered(50, 'lost'));
      for (const topic of cutAtSource) await copiedTo(running, 150, topic);
    });
    await appendRecords(east, shorter, 0, numbered(10, 'new'));
    for (const topic of [longer, passed]) await appendRecords(east, topic, 0, numbered(200, 'new'));
    for (const topic of cutAtSource) {
      await pausedFor(running, /^source_reset: .* was truncated at 100; \[100, 150\)/, topic);
      assert.deepEqual(told(running.events, topic), ['source_reset [100, 150) east']);
    }
    await siteOf('east').start(1);
    const remote = cutAtTarget.map((topic) => `east.${topic}`);
    await cutEnd('west', west, remote, async () => {
      for (const topic of cutAtTarget) await appendRecords(east, topic, 0, numbered(50, 'again'));
      for (const topic of cutAtTarget) await copiedTo(running, 150, topic);
    });
    for (const topic of cutAtTarget) {
      const why = /^target_reset: .* was truncated at \d+; \[\d+, \d+\) at west/;
      await pausedFor(running, why, topic);
      assert.match(told(running.events, topic).join(), /^target_reset \[\d+, \d+\) west$/);
    }
    await siteOf('west').start(1);
  }
  const settings = { lane, onSourceReset: 'continue', onTargetReset: 'continue' } as const;
  await using running = await startFlow({ ...flow, timings, settings });
  for (const topic of all) await appendRecords(east, topic, 0, numbered(5, 'after'));
  for (const [topic, count] of [
    [shorter, 115],
    [longer, 305],
    [passed, 305],
    [kept, 155],
    [keptPassed, 155],
  ] as const) {
    await copiedTo(running, count, topic);
    const source = await readAll(east, topic, 0);
    const copies = await readAll(west, `east.${topic}`, 0);
    const isCut = cutAtSource.includes(topic);
    // What lies before a cut was copied in the life before, and what was cut off too.
    const first = isCut ? 150 : 0;
    const [born, target] = [isCut ? source.slice(100) : source, copies.slice(first)];
    const generation = isCut ? 2 : 1;
    if (topic.endsWith('-pass')) assert.deepEqual(valuesOf(target), valuesOf(born));
    else {
      const originOf = stampedFrom('east', topic, 0);
      assert.deepEqual(copyBreaches({ source: born, target, originOf, generation }), []);
    }
    const map = running.maps.book.reader('east->west', topic, 0);
    const last = map?.forward(BigInt(count - 1));
    assert.deepEqual([last?.certainty, last?.offset], ['exact', BigInt(copies.at(-1)!.offset)]);
    // Not ahead: a group that has not read record 50 finds it in what follows.
    assert.ok(Number(map?.forward(50n).offset) <= copies[50]!.offset);
    if (topic !== longer && topic !== passed) continue;
    // Of a group that had read 150 records before the cut: what is new from 100 on it has not read.
    const { epochs } = running.maps;
    const before = epochs.chain({ flow: 'east->west', topic, partition: 0 }, 1).starts.at(-1);
    const committed = map?.forward(150n, before?.epoch);
    assert.equal(committed?.reason, 'generation_changed');
    assert.ok(Number(committed.offset) <= target[0]!.offset);
    assert.equal(map?.forward(150n).certainty, 'exact');
  }
});
