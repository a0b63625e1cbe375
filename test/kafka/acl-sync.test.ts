/**
 * ACLs of copies follow those of their sources, over two clusters with an authorizer, of this file
 * alone; a cluster without one is passed over.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { aclText } from '../../src/flow/acl-rules.ts';
import type { TopicAcl } from '../../src/kafka/cluster.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { kafkaVersions, uniqueName, type TestSite } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { newStateTopic, startFlow } from '../support/flows.ts';
import { makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const directions = [
  ['east', 'west'],
  ['west', 'east'],
] as const;
const settings = { sync: { configs: false as const, acls: true } };
const timings = { syncMs: 300 };

function acl(
  principal: string,
  operation: TopicAcl['operation'],
  name: string,
  more: Partial<TopicAcl> = {},
): TopicAcl {
  const plain = { pattern: 'literal', host: '*', permission: 'allow' } as const;
  return { ...plain, principal: `User:${principal}`, operation, name, ...more };
}

/** ACLs at the target that speak of a name with this in it. */
async function aclsOf(cluster: KafkaCluster, part: string): Promise<string[]> {
  const found = (await cluster.topicAcls()) ?? [];
  return found
    .filter(({ name }) => name.includes(part))
    .map(aclText)
    .sort();
}

async function becomes(cluster: KafkaCluster, part: string, wanted: string[]): Promise<void> {
  const text = [...wanted].sort().join('\n');
  let found = '';
  await until(`ACLs of ${part} to be\n${text}`, async () => {
    found = (await aclsOf(cluster, part)).join('\n');
    return found === text;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; they are\n${found}`);
  });
}

test('a cluster without an authorizer is told once, and left alone', async () => {
  const topic = uniqueName('open');
  await using source = await openTestCluster('east');
  assert.equal(await source.topicAcls(), undefined);
  await makeTopic(source, topic);
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const options = {
    from: 'east',
    to: 'west',
    topics: `${topic}.*`,
    settings,
    timings,
    log,
  } as const;
  await using running = await startFlow(options);
  await until('the flow', () => running.flow.status().state === 'current');
  const told = (): number => lines.filter((line) => line.includes('no authorizer')).length;
  await until('it to be told', () => told() > 0);
  // A second topic: it is looked again, and not told again.
  await makeTopic(source, `${topic}-second`);
  await until('the second', () => running.flow.status().partitions.length === 2);
  await until('the flow', () => running.flow.status().state === 'current');
  assert.equal(told(), 1);
  assert.deepEqual(running.flow.status().notices, []);
  assert.deepEqual(running.events, []);
});

describe('with an authorizer', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-acls-'));
  const shared = { ...process.env };
  let sandbox: Sandbox | undefined;

  before(async () => {
    const extraConfig = {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    };
    const sites = Object.entries(kafkaVersions).map(([name, kafkaVersion]) => {
      return { name, kafkaVersion, extraConfig };
    });
    sandbox = await openSandbox({ dir, sites, isTied: true }, testDeps());
    for (const { name, brokers } of sandbox.sites) {
      process.env[`CAUSEWAY_TEST_${name.toUpperCase()}`] = brokers.join(',');
    }
  });

  after(async () => {
    for (const name of Object.keys(kafkaVersions).map((site) => site.toUpperCase())) {
      process.env[`CAUSEWAY_TEST_${name}`] = shared[`CAUSEWAY_TEST_${name}`];
    }
    await sandbox?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [from, to] of directions) {
    test(`${from}->${to}: reading is mirrored, writing never, and what we added goes again`, () =>
      followed(from, to));
    test(`${from}->${to}: who else may write to copies is told`, () => writers(from, to));
  }
});

async function followed(from: TestSite, to: TestSite): Promise<void> {
  await using source = await openTestCluster(from);
  await using target = await openTestCluster(to);
  const topic = uniqueName('guarded');
  const remote = `${from}.${topic}`;
  await makeTopic(source, topic);
  const prefix = topic.slice(0, -2);
  const atSource = [
    acl('ana', 'read', topic),
    acl('bob', 'all', topic),
    acl('cem', 'write', topic),
    acl('dora', 'describe', prefix, { pattern: 'prefixed', host: '10.0.0.1' }),
    acl('eve', 'read', topic, { permission: 'deny' }),
    acl('fay', 'read', `${topic}-not-carried`),
    acl('gus', 'describe', topic),
  ];
  await source.createTopicAcls(atSource);
  // Somebody had the same idea before: it is theirs.
  await target.createTopicAcls([acl('gus', 'describe', remote)]);
  const controlTopic = await newStateTopic(to);
  const options = { from, to, topics: topic, settings, timings, controlTopic };
  const running = await startFlow(options);
  const mirrored = [
    `User:ana may read ${remote}`,
    `User:bob may read ${remote}`,
    `User:bob may describe ${remote}`,
    `User:dora from 10.0.0.1 may describe ${from}.${prefix}*`,
    `User:eve may not read ${remote}`,
    `User:gus may describe ${remote}`,
  ];
  await becomes(target, prefix, mirrored);

  await source.deleteTopicAcls([atSource[0]!, atSource[6]!]);
  await source.createTopicAcls([acl('hal', 'read', topic)]);
  const changed = [...mirrored.slice(1), `User:hal may read ${remote}`];
  await becomes(target, prefix, changed);

  // What is dropped while the agent is away is known to be ours when it is back.
  await running[Symbol.asyncDispose]();
  await source.deleteTopicAcls([atSource[1]!]);
  await using again = await startFlow(options);
  await becomes(target, prefix, changed.slice(2));
  assert.deepEqual(again.flow.status().notices, []);
}

async function writers(from: TestSite, to: TestSite): Promise<void> {
  await using source = await openTestCluster(from);
  await using target = await openTestCluster(to);
  const topic = uniqueName('written');
  await makeTopic(source, topic);
  const some = [
    acl('ivy', 'write', `${from}.${topic}`),
    acl('jan', 'all', '*'),
    acl('kim', 'write', from.slice(0, 2), { pattern: 'prefixed' }),
  ];
  const harmless = [acl('leo', 'write', topic), acl('mia', 'read', `${from}.${topic}`)];
  await target.createTopicAcls([...some, ...harmless]);
  try {
    await using running = await startFlow({ from, to, topics: topic, settings, timings });
    const notices = await until('the notices', () => {
      const found = running.flow.status().notices.filter(({ kind }) => kind === 'writer_allowed');
      return found.length > 0 && found;
    });
    assert.deepEqual(notices.map(({ text }) => text).sort(), some.map(aclText).sort());
    const told = running.events.filter(({ kind }) => kind === 'writer_allowed');
    assert.equal(told.length, some.length);
    await target.deleteTopicAcls(some);
    await until('them to go', () => running.flow.status().notices.length === 0);
  } finally {
    await target.deleteTopicAcls([...some, ...harmless]);
  }
}
