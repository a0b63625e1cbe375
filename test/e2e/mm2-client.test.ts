/**
 * MirrorMaker 2's own Java client finds what it looks for: positions of groups of both sites, the
 * very record each, and which site is upstream of which; after a kill, and after a group is gone.
 */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import { isWithdrawn, readCheckpointKey } from '../../src/mm2/format.ts';
import { parseOrigin } from '../../src/records/origin.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { startAgent } from '../support/agent-process.ts';
import { kafkaVersions, type TestSite } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { readTopic } from '../support/read-topic.ts';
import { Seeded } from '../support/seeded.ts';
import { javaClients, runClient } from '../support/tools.ts';
import { appendRecords, makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-mm2-'));
const deps = testDeps();
const groupsPerSite = 12;
const recordsPerPartition = 2_000;
const other = { east: 'west', west: 'east' } as const;

after(async () => {
  const context = { env: process.env, isTied: true, onProgress: () => undefined };
  await findSandbox(dir, context, deps).down();
  rmSync(dir, { recursive: true });
});

/** Answers of the Java client of that site's version, by question. */
async function ask(
  sandbox: Sandbox,
  site: TestSite,
  questions: readonly string[],
): Promise<Record<string, string>> {
  const [java, ...args] = await javaClients(kafkaVersions[site]);
  const brokers = sandbox.site(site).brokers.join();
  const { code, lines } = await runClient(java, [...args, 'Mirror', brokers, ...questions]);
  assert.equal(code, 0, lines.join('\n'));
  const answers = lines.filter((line) => line.includes('\t')).map((line) => line.split('\t'));
  return Object.fromEntries(answers.map(([question = '', answer = '']) => [question, answer]));
}

/** Places of a record in both of its logs. */
interface Pair {
  readonly born: number;
  readonly copy: number;
}

interface Logs {
  /** By `topic/partition` as named at its birth. */
  readonly pairs: ReadonlyMap<string, readonly Pair[]>;
}

/** From the logs alone: where a commit has to go on at the other site. */
function placesOf(logs: Logs, site: TestSite, topic: string, partition: number, at: number) {
  const alias = `${other[site]}.`;
  const isBack = topic.startsWith(alias);
  const name = isBack ? topic.slice(alias.length) : topic;
  const pairs = logs.pairs.get(`${name}/${partition}`) ?? [];
  const there = isBack ? name : `${site}.${topic}`;
  const [from, to] = isBack ? (['copy', 'born'] as const) : (['born', 'copy'] as const);
  const next = pairs.find((pair) => pair[from] >= at);
  const last = pairs.at(-1);
  assert.ok(last);
  return { there: `${there}-${partition}`, offset: next === undefined ? last[to] + 1 : next[to] };
}

/** What the records say, by group, in the form of the client's answers. */
async function checkpointsIn(brokers: string[], home: TestSite): Promise<Map<string, string>> {
  const places = new Map<string, Map<string, string>>();
  const [records = []] = await readTopic(brokers, `${home}.checkpoints.internal`).catch(() => []);
  for (const { key, value } of records) {
    const known = readCheckpointKey(key ?? Buffer.alloc(0));
    if (known === undefined || value === null || isWithdrawn(value)) continue;
    const found = places.get(known.group) ?? new Map<string, string>();
    const metadata = value.toString('utf8', 20);
    found.set(`${known.topic}-${known.partition}`, `${value.readBigInt64BE(10)}:${metadata}`);
    places.set(known.group, found);
  }
  return new Map(
    [...places].map(([group, found]) => {
      const list = [...found].map(([place, offset]) => `${place}=${offset}`);
      return [group, list.sort().join(' ')];
    }),
  );
}

/** Shown only by the agent of a site that writes for its clients. */
function latencyIn(metrics: string): number | undefined {
  const found = /^causeway_heartbeat_latency_seconds\{.*from=.*\} (\S+)/m.exec(metrics)?.[1];
  return found === undefined ? undefined : Number(found);
}

async function write(cluster: KafkaCluster, topic: string, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition += 1) {
    const records = Array.from({ length: recordsPerPartition }, (_, index) => ({
      key: null,
      value: Buffer.from(`${index}`),
      timestampMs: Date.now(),
    }));
    await appendRecords(cluster, topic, partition, records, 'lz4');
  }
}

/** Holes in the source that the copy does not have. */
async function writeTransactions(brokers: string[], topic: string): Promise<void> {
  const { Kafka, logLevel, Partitioners } = kafkajs;
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const createPartitioner = Partitioners.DefaultPartitioner;
  const options = { transactionalId: topic, maxInFlightRequests: 1, idempotent: true };
  const producer = kafka.producer({ ...options, createPartitioner });
  await producer.connect();
  for (let round = 0; round < 20; round += 1) {
    const transaction = await producer.transaction();
    const messages = [0, 1, 1].map((partition) => ({ value: `in ${round}`, partition }));
    await transaction.send({ topic, messages });
    if (round % 3 === 2) await transaction.abort();
    else await transaction.commit();
  }
  await producer.disconnect();
}

test('clients of MirrorMaker 2: exact positions both ways, upstream sites, nothing in circles', async () => {
  const random = new Seeded(7);
  const sites = (['east', 'west'] as const).map((name) => {
    return { name, kafkaVersion: kafkaVersions[name] };
  });
  const sandbox = await openSandbox({ dir, sites, agentsPerSite: 2, isTied: true }, deps);
  const brokersOf = (site: TestSite): string[] => sandbox.site(site).brokers;
  const open = (name: TestSite): Promise<KafkaCluster> =>
    openCluster({ name, brokers: brokersOf(name), clientId: 'mm2-test' }, deps);
  await using east = await open('east');
  await using west = await open('west');
  const clusters = { east, west };
  const topicsOf = { east: ['orders', 'west.lines'], west: ['lines', 'east.orders'] } as const;
  await makeTopic(east, 'orders', 2);
  await makeTopic(west, 'lines', 2);
  await write(east, 'orders', 2);
  await writeTransactions(brokersOf('east'), 'orders');
  const topologyFile = sandbox.meshFile;
  const names = Array.from({ length: groupsPerSite }, (_, index) => `group-${index}`);
  // They are committed by hand at both sites: agents are to keep out of it.
  const modes = names.map((name) => `${name}: { mode: everywhere }`);
  appendFileSync(topologyFile, `defaults: { groups: { modes: { ${modes.join(', ')} } } }\n`);
  await using eastAgent = await startAgent({ site: 'east', topologyFile, logDir: dir });
  await using westAgent = await startAgent({ site: 'west', topologyFile, logDir: dir });
  await write(west, 'lines', 2);
  await writeTransactions(brokersOf('west'), 'lines');
  await write(east, 'orders', 2);

  const crossed = async (
    born: TestSite,
    topic: string,
  ): Promise<[string, Pair[]][] | undefined> => {
    const records = await readTopic(brokersOf(born), topic);
    const copies = await readTopic(brokersOf(other[born]), `${born}.${topic}`).catch(() => []);
    if (copies.length < records.length) return undefined;
    if (copies.some((some, at) => some.length < (records[at]?.length ?? 0))) return undefined;
    return copies.map((some, partition) => {
      const pairs = some.map(({ offset, headers }) => {
        const origin = parseOrigin(headers.at(-1)?.value ?? Buffer.alloc(0));
        return { born: origin?.offset ?? -1, copy: offset };
      });
      return [`${topic}/${partition}`, pairs];
    });
  };
  const orders = await until('orders to cross', () => crossed('east', 'orders'), 60_000);
  const lines = await until('lines to cross', () => crossed('west', 'lines'), 60_000);
  const logs: Logs = { pairs: new Map([...orders, ...lines]) };

  /** By site and group: what its checkpoint at the other site should be. */
  const wanted = { east: new Map<string, string>(), west: new Map<string, string>() };
  const commit = async (site: TestSite, group: string): Promise<void> => {
    const commits = topicsOf[site].flatMap((topic) =>
      [0, 1].map((partition) => {
        const offset = random.int(0, recordsPerPartition);
        return { topic, partition, offset: BigInt(offset), metadata: `${group} ${offset}` };
      }),
    );
    await clusters[site].commitGroupOffsets(group, commits);
    const places = commits.map(({ topic, partition, offset, metadata }) => {
      const { there, offset: place } = placesOf(logs, site, topic, partition, Number(offset));
      return `${there}=${place}:${metadata}`;
    });
    wanted[site].set(group, places.sort().join(' '));
  };
  /** Waits for the records, then asks the client. */
  const allAgree = async (what: string, homes: readonly TestSite[]): Promise<void> => {
    for (const home of homes) {
      const groups = [...wanted[home].keys()];
      let found: ReadonlyMap<string, string> = new Map();
      const isRight = (group: string): boolean =>
        (found.get(group) ?? '') === wanted[home].get(group);
      await until(
        `${what}: ${home}`,
        async () => {
          found = await checkpointsIn(brokersOf(other[home]), home);
          return groups.every(isRight);
        },
        90_000,
      ).catch((cause: unknown) => {
        const wrong = groups.filter((group) => !isRight(group));
        const lines = wrong.map(
          (group) => `${group}: ${found.get(group)}, not ${wanted[home].get(group)}`,
        );
        const logs = [eastAgent, westAgent].map((agent) => agent.logTail());
        const text = [`${what}: ${home}`, ...lines, ...logs].join('\n');
        throw new Error(text, { cause });
      });
      const question = (group: string): string => `translate=${home}=${group}`;
      const answers = await ask(sandbox, other[home], groups.map(question));
      assert.deepEqual(
        answers,
        Object.fromEntries(groups.map((group) => [question(group), wanted[home].get(group)])),
        what,
      );
    }
  };

  for (const home of ['east', 'west'] as const) for (const name of names) await commit(home, name);
  await allAgree('positions of all groups', ['east', 'west']);

  // Forward and back, while the agent that translates is away.
  await westAgent.kill();
  for (const name of names.slice(0, 6)) await commit('east', name);
  westAgent.launch();
  await westAgent.ready();
  for (const name of names.slice(4, 8)) await commit('east', name);
  await allAgree('positions after a kill', ['east']);

  // Another agent takes over from one that is frozen; that one, woken, does no harm.
  await using second = await startAgent({ site: 'west', topologyFile, logDir: dir, agent: 2 });
  const frozen = await until(
    'one to write',
    async () => {
      for (const agent of [westAgent, second]) {
        if (latencyIn((await agent.get('/metrics')).text) !== undefined) return agent;
      }
      return undefined;
    },
    60_000,
  );
  await frozen.freeze();
  for (const name of names) await commit('east', name);
  await allAgree('positions by the other agent', ['east']);
  await frozen.thaw();
  await frozen.ready();
  for (const name of names.slice(0, 3)) await commit('east', name);
  await allAgree('positions after the frozen one woke', ['east']);
  await second.stop();

  // A group that is deleted has no position any more, and disturbs no other one.
  const { Kafka, logLevel } = kafkajs;
  const admin = new Kafka({ brokers: brokersOf('east'), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.deleteGroups(['group-3']);
  await admin.disconnect();
  wanted.east.set('group-3', '');
  await allAgree('positions after a group was deleted', ['east']);

  for (const site of ['east', 'west'] as const) {
    const away = other[site];
    const topic = { east: 'west.lines', west: 'east.orders' }[site];
    const found = await ask(sandbox, site, [
      `hops=${away}`,
      'hops=nowhere',
      'upstream',
      `remote=${away}`,
      'checkpoints',
      'heartbeats',
    ]);
    assert.deepEqual(found, {
      [`hops=${away}`]: '1',
      'hops=nowhere': '-1',
      upstream: away,
      [`remote=${away}`]: [`${away}.heartbeats`, topic].sort().join(' '),
      checkpoints: `${away}.checkpoints.internal`,
      heartbeats: [`${away}.heartbeats`, 'heartbeats'].sort().join(' '),
    });
  }
  for (const agent of [eastAgent, westAgent]) {
    const text = await until(
      'heartbeats to be watched',
      async () => {
        const found = (await agent.get('/metrics')).text;
        return latencyIn(found) !== undefined && found;
      },
      60_000,
    );
    assert.ok((latencyIn(text) ?? Infinity) < 5, text);
  }

  // These and no others: nothing of it has come back, or been carried on.
  for (const site of ['east', 'west'] as const) {
    const away = other[site];
    const there = [...(await clusters[site].metadata()).topics.keys()];
    const made = ['heartbeats', `${away}.heartbeats`, `${away}.checkpoints.internal`];
    assert.deepEqual(
      there.filter((name) => !name.startsWith('__')).sort(),
      [...made, ...topicsOf[site]].sort(),
    );
  }

  // Why a checkpoint is withdrawn by a value that ends early, and not by a tombstone.
  const none = { key: Buffer.from('0001670001740000', 'hex'), value: null, timestampMs: 1 };
  await makeTopic(west, 'tomb.checkpoints.internal', 1);
  await appendRecords(west, 'tomb.checkpoints.internal', 0, [none]);
  const answers = await ask(sandbox, 'west', ['translate=tomb=anybody']);
  assert.deepEqual(answers, { 'translate=tomb=anybody': 'NullPointerException' });
});
