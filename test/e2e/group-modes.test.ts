/**
 * How groups are used, and the rules that agents hold to when they write for them, with members of
 * every family of clients: nothing is written that would lose a record, and homes move by
 * themselves where nothing is lost by it. Both sites can be lost and cut off from each other here,
 * and offsets at west expire after a minute.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Scope } from '../../src/base/scope.ts';
import { groupsSchema, translateSchema, type ReadinessJson } from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { freePorts } from '../../src/sandbox/free-ports.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { kafkaVersions, type TestSite } from '../support/clusters.ts';
import { committedAt } from '../support/committed.ts';
import { testDeps } from '../support/deps.ts';
import {
  joinGroup,
  memberFamilies,
  type MemberFamily,
  type ReadRecord,
} from '../support/group-member.ts';
import { causeway } from '../support/mesh.ts';
import { quickReturn } from '../support/quick-return.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { appendRecords, makeTopic, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-modes-'));
const file = path.join(dir, 'modes.yaml');
const deps = testDeps();
const context = { env: process.env, isTied: true, onProgress: () => undefined };
const records = 100;
const slowMs = 60_000;

/** One per topic, so that positions at both sites are known before anybody commits. */
const topics = ['kept', 'plain', 'feed', 'roam', 'back', 'split'] as const;
type Topic = (typeof topics)[number];

const keptGroup = (family: MemberFamily): string => `kept ${family}`;
const atEast = [...memberFamilies.map(keptGroup), 'pace', 'lasting', 'returning', 'cut off'];
const modes = {
  ...Object.fromEntries(atEast.map((group) => [group, { mode: 'single', home: 'east' }])),
  audit: { mode: 'everywhere' },
};

const scope = new Scope();
let sandbox: Sandbox;
let link: TcpProxy;
let east: KafkaCluster;
let west: KafkaCluster;
let agents: Record<TestSite, AgentProcess>;
/** Where the records of a topic of east are at west, by their offsets at east. */
const copies = new Map<Topic, readonly number[]>();

function open(name: TestSite): Promise<KafkaCluster> {
  const { brokers } = sandbox.site(name);
  return openCluster({ name, brokers, clientId: 'modes-test' }, deps);
}

function placeAtWest(topic: Topic, offset: number): Record<string, number> {
  const place = copies.get(topic)?.[offset];
  assert.ok(place !== undefined);
  return { [`east.${topic}/0`]: place };
}

async function commitAtEast(group: string, topic: Topic, offset: number): Promise<void> {
  const results = await east.commitGroupOffsets(group, [
    { topic, partition: 0, offset: BigInt(offset), metadata: '' },
  ]);
  assert.ok(results.every(({ errorCode }) => errorCode === 0));
}

function same(found: Record<string, number>, wanted: Record<string, number>): boolean {
  return JSON.stringify(found) === JSON.stringify(wanted);
}

/** West has been told of all that was committed at east before, and has written what it may. */
async function keepPace(offset: number): Promise<void> {
  await commitAtEast('pace', 'kept', offset);
  await inStep('pace', 'kept', offset);
}

async function inStep(group: string, topic: Topic, offset: number): Promise<void> {
  await until(`${group} to be in step at west, at ${topic}@${offset}`, async () =>
    same(await committedAt(west, group), placeAtWest(topic, offset)),
  );
}

function join(family: MemberFamily, site: TestSite, group: string, topic: string) {
  const { brokers } = sandbox.site(site);
  const pattern = `^(east\\.|west\\.)?${topic}$`;
  return joinGroup(family, { brokers, kafkaVersion: kafkaVersions[site], group, pattern });
}

/** Just those records, in their order. */
function assertRead(found: readonly ReadRecord[], from: number, to: number): void {
  const wanted = Array.from({ length: to - from }, (_, index) => String(from + index));
  assert.deepEqual(
    found.map(({ value }) => value),
    wanted,
  );
}

async function groupAt(site: TestSite, group: string): Promise<ReadinessJson | undefined> {
  const { text } = await agents[site].get('/v1/groups');
  return groupsSchema.safeParse(JSON.parse(text)).data?.groups.find((one) => one.group === group);
}

async function homeIs(
  group: string,
  wanted: { site: string; epoch: number; state: string },
  sites: readonly TestSite[] = ['east', 'west'],
): Promise<void> {
  for (const site of sites) {
    await until(
      `${group} to be at home at ${JSON.stringify(wanted)}, by ${site}`,
      async () => {
        const { home } = (await groupAt(site, group)) ?? {};
        return JSON.stringify(home) === JSON.stringify(wanted);
      },
      slowMs,
    );
  }
}

/** Writes to a topic of east, and waits until all of it has crossed. */
async function fill(topic: Topic): Promise<void> {
  const all = Array.from({ length: records }, (_, index) => ({
    key: null,
    value: Buffer.from(String(index)),
    timestampMs: Date.now(),
  }));
  await appendRecords(east, topic, 0, all);
  const copy = await until(
    `${topic} to cross`,
    async () => {
      const [leader] = (await west.metadata()).topics.get(`east.${topic}`)?.partitions ?? [];
      if (leader === undefined || leader.leader < 0) return undefined;
      const found = await readAll(west, `east.${topic}`, 0);
      return found.length === records && found;
    },
    slowMs,
  );
  copies.set(
    topic,
    copy.map(({ offset }) => offset),
  );
}

before(async () => {
  link = scope.own(await TcpProxy.open());
  sandbox = await openSandbox(
    {
      dir: path.join(dir, 'kafka'),
      sites: [
        {
          name: 'east',
          kafkaVersion: kafkaVersions.east,
          wanPorts: [link.port],
          extraConfig: quickReturn,
        },
        {
          name: 'west',
          kafkaVersion: kafkaVersions.west,
          extraConfig: {
            'offsets.retention.minutes': '1',
            'offsets.retention.check.interval.ms': '1000',
          },
        },
      ],
      isTied: true,
    },
    deps,
  );
  link.forwardTo(sandbox.site('east').wanListeners[0]!);
  const ports = await freePorts(4, systemClock);
  const agentsOf = (at: number): string =>
    `agents: [{grpc: "localhost:${ports[at]}", http: "localhost:${ports[at + 1]}"}]`;
  const brokers = JSON.stringify(sandbox.site('east').brokers);
  const lines = [
    'apiVersion: causeway/v1',
    'mesh: modes',
    'version: 1',
    'sites:',
    `  east: {kafka: {brokers: {local: ${brokers}, remote: ["${link.address}"]}}, ${agentsOf(0)}}`,
    `  west: {kafka: {brokers: ${JSON.stringify(sandbox.site('west').brokers)}}, ${agentsOf(2)}}`,
    'mm2: {checkpoints: false, heartbeats: false}',
    `defaults: {groups: {homeIdle: 3s, modes: ${JSON.stringify(modes)}}}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  east = scope.own(await open('east'));
  west = scope.own(await open('west'));
  await Promise.all([...topics, 'idle'].map((topic) => makeTopic(east, topic)));
  await makeTopic(west, 'idle');
  const start = (site: TestSite): Promise<AgentProcess> =>
    startAgent({ site, topologyFile: file, logDir: dir });
  agents = { east: scope.own(await start('east')), west: scope.own(await start('west')) };
  await Promise.all(topics.map(fill));
  // What nobody commits again: by agents, and by nobody at all.
  await commitAtEast('lasting', 'kept', 50);
  await inStep('lasting', 'kept', 50);
  await west.commitGroupOffsets('nobody', [
    { topic: 'idle', partition: 0, offset: 1n, metadata: '' },
  ]);
});

after(async () => {
  await scope[Symbol.asyncDispose]();
  await findSandbox(path.join(dir, 'kafka'), context, deps).down();
  rmSync(dir, { recursive: true });
});

describe('what agents write for groups', () => {
  test('rules 1, 2, 4: to no group with members; the home is followed, backwards too', async () => {
    await Promise.all(
      memberFamilies.map(async (family) => {
        const group = keptGroup(family);
        await commitAtEast(group, 'kept', 40);
        await inStep(group, 'kept', 40);
      }),
    );
    // Members, of every kind, that have nothing to read: so nothing but their being there counts.
    const members = await Promise.all(
      memberFamilies.map((family) => join(family, 'west', keptGroup(family), 'idle')),
    );
    await Promise.all(memberFamilies.map((family) => commitAtEast(keptGroup(family), 'kept', 60)));
    await keepPace(61);
    await keepPace(62);
    for (const family of memberFamilies) {
      const found = await committedAt(west, keptGroup(family));
      assert.deepEqual(found, placeAtWest('kept', 40), family);
    }
    await Promise.all(members.map((member) => member.leave()));
    await Promise.all(memberFamilies.map((family) => inStep(keptGroup(family), 'kept', 60)));
    await Promise.all(memberFamilies.map((family) => commitAtEast(keptGroup(family), 'kept', 20)));
    await Promise.all(memberFamilies.map((family) => inStep(keptGroup(family), 'kept', 20)));
  });

  test('rule 6: found to be single, and not by what agents commit; then used at both', async () => {
    await using there = await join('kafkajs', 'east', 'found', 'plain');
    assertRead(await there.read(10), 0, 10);
    await homeIs('found', { site: 'east', epoch: 1, state: 'found' });
    await inStep('found', 'plain', 10);
    assertRead(await there.read(10), 10, 20);
    await inStep('found', 'plain', 20);
    await keepPace(63);
    const single = await groupAt('west', 'found');
    assert.deepEqual([single?.mode, single?.modeBy], ['single', 'found']);

    await using here = await join('librdkafka', 'west', 'found', 'plain');
    assertRead(await here.read(15), 20, 35);
    assertRead(await there.read(10), 20, 30);
    const contest = {
      sites: ['east', 'west'],
      overlap: [{ site: 'east', topic: 'plain', partition: 0, from: '20', to: '30' }],
    };
    for (const site of ['east', 'west'] as const) {
      const found = await until(
        `the contest to be told by ${site}`,
        async () => {
          const one = await groupAt(site, 'found');
          return one?.contest?.overlap.length === 1 && one;
        },
        slowMs,
      );
      assert.deepEqual(
        [found.mode, found.state, found.contest],
        ['contested', 'contested', contest],
      );
    }
    const plan = await causeway(
      'failover',
      '--group',
      'found',
      '--from',
      'east',
      '--to',
      'west',
      '--topology',
      file,
    );
    assert.match(plan.text, /mode contested \(found\)/);
    assert.match(plan.text, /^contested: commits of its own at east and west$/m);
    assert.match(plan.text, /^east\/plain\/0 \[20,30\) read at both$/m);
  });

  test('used at both sites from the beginning: contested, and nothing is written', async () => {
    await commitAtEast('both', 'plain', 5);
    await commitAtEast('both', 'feed', 5);
    await west.commitGroupOffsets('both', [
      { topic: 'east.plain', partition: 0, offset: 9n, metadata: '' },
    ]);
    await until(
      'the group to be contested',
      async () => (await groupAt('west', 'both'))?.state === 'contested',
    );
    const before = await committedAt(west, 'both');
    await commitAtEast('both', 'feed', 7);
    await keepPace(64);
    await keepPace(65);
    assert.deepEqual(await committedAt(west, 'both'), before);
    const { text } = await agents.west.get('/v1/translate?group=both&from=east&to=west');
    const answer = translateSchema.parse(JSON.parse(text));
    assert.deepEqual(
      [answer.mode, answer.modeBy, answer.safeToStart],
      ['contested', 'found', false],
    );
    assert.deepEqual(answer.contest?.sites, ['east', 'west']);
  });

  test('everywhere: a deployment that leaves the group empty for a moment loses nothing', async () => {
    const before = await join('java classic', 'west', 'audit', 'feed');
    assertRead(await before.read(30), 0, 30);
    await using there = await join('java classic', 'east', 'audit', 'feed');
    assertRead(await there.read(90), 0, 90);
    await before.leave();
    // Here MirrorMaker 2 would write east's position, and the members below would begin there.
    await keepPace(66);
    await keepPace(67);
    assert.deepEqual(await committedAt(west, 'audit'), placeAtWest('feed', 30));
    await using after = await join('java classic', 'west', 'audit', 'feed');
    assertRead(await after.read(70), 30, 100);
    await there.leave();
    await after.leave();
  });
});

describe('homes that move by themselves', () => {
  test('rule 3: to where the group is used, once its home is quiet, and back', async () => {
    const first = await join('java transactional', 'east', 'roaming', 'roam');
    assertRead(await first.read(30), 0, 30);
    await homeIs('roaming', { site: 'east', epoch: 1, state: 'found' });
    await inStep('roaming', 'roam', 30);
    await first.leave();
    const second = await join('java KIP-848', 'west', 'roaming', 'roam');
    assertRead(await second.read(40), 30, 70);
    await homeIs('roaming', { site: 'west', epoch: 2, state: 'moved' });
    // Its old home follows: pods that start there too early do not replay.
    await until('east to follow', async () => {
      return (await committedAt(east, 'roaming'))['roam/0'] === 70;
    });
    await second.leave();
    const third = await join('java transactional', 'east', 'roaming', 'roam');
    assertRead(await third.read(30), 70, 100);
    await homeIs('roaming', { site: 'east', epoch: 3, state: 'moved' });
    await third.leave();
  });

  test('a home that is lost: provisional, and confirmed when it returns without members', async () => {
    const there = await join('java classic', 'east', 'returning', 'back');
    assertRead(await there.read(30), 0, 30);
    await inStep('returning', 'back', 30);
    await Promise.all([sandbox.site('east').kill(), agents.east.kill()]);
    await there[Symbol.asyncDispose]();
    await using here = await join('librdkafka', 'west', 'returning', 'back');
    assertRead(await here.read(30), 30, 60);
    await homeIs('returning', { site: 'west', epoch: 2, state: 'provisional' }, ['west']);
    const { text } = await causeway('groups', '--site', 'west', '--topology', file);
    assert.match(text, /^returning +west +single +west \(epoch 2, provisional\) +home/m);
    await sandbox.site('east').start();
    agents.east.launch();
    await agents.east.ready();
    await homeIs('returning', { site: 'west', epoch: 2, state: 'moved' });
    await until('east to follow before anybody starts there', async () => {
      return (await committedAt(east, 'returning'))['back/0'] === 60;
    });
    await here.leave();
  });

  test('a home that was only cut off, and went on: contested, until somebody decides', async () => {
    await using there = await join('java classic', 'east', 'cut off', 'split');
    assertRead(await there.read(20), 0, 20);
    await inStep('cut off', 'split', 20);
    link.cut();
    await agents.east.kill();
    assertRead(await there.read(40), 20, 60);
    await using here = await join('kafkajs', 'west', 'cut off', 'split');
    assertRead(await here.read(60), 20, 80);
    await homeIs('cut off', { site: 'west', epoch: 2, state: 'provisional' }, ['west']);
    link.mend();
    agents.east.launch();
    await agents.east.ready();
    await homeIs('cut off', { site: 'west', epoch: 2, state: 'contested' });
    const found = await groupAt('west', 'cut off');
    assert.deepEqual(found?.contest, {
      sites: ['west', 'east'],
      overlap: [{ site: 'east', topic: 'split', partition: 0, from: '20', to: '60' }],
    });
    const move = ['failover', '--group', 'cut off', '--from', 'west', '--to', 'east'];
    const plan = await causeway(...move, '--topology', file);
    assert.match(plan.text, /^east\/split\/0 \[20,60\) read at both$/m);
    assert.match(plan.text, /refused: .* has commits of its own at east/);
    await Promise.all([there.leave(), here.leave()]);
    // Nothing is written while it is open.
    await keepPace(68);
    assert.deepEqual(await committedAt(east, 'cut off'), { 'split/0': 60 });
    const done = await causeway(...move, '--overwrite', '--execute', '--topology', file);
    assert.equal(done.code, 0, done.text);
    await homeIs('cut off', { site: 'east', epoch: 3, state: 'moved' });
    assert.deepEqual(await committedAt(east, 'cut off'), { 'split/0': 80 });
  });
});

test('rule 5: what agents wrote outlives the time that offsets are kept', async () => {
  await until(
    'what nobody commits again to expire at west',
    async () => same(await committedAt(west, 'nobody'), {}),
    120_000,
  );
  assert.deepEqual(await committedAt(west, 'lasting'), placeAtWest('kept', 50));
});
