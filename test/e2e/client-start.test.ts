/**
 * Where a consumer of the client library starts, and what it refuses: groups without a home, of
 * another mode, contested; sites that the mesh does not have; neither an agent nor an offset. And
 * the package as an application gets it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import { Scope } from '../../src/base/scope.ts';
import {
  MeshConsumer,
  MeshError,
  type MeshConsumerOptions,
  type StartReport,
} from '../../src/client/index.ts';
import { startAgent } from '../support/agent-process.ts';
import { brokersOf, uniqueName, type TestSite } from '../support/clusters.ts';
import { writeMesh } from '../support/mesh.ts';
import { runClient } from '../support/tools.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-client-'));
after(() => rmSync(dir, { recursive: true }));

test('starts where agents say, and nowhere else', async () => {
  const topic = uniqueName('starts');
  const [roaming, audit, split, fresh] = ['roaming', 'audit', 'split', 'fresh'].map(uniqueName);
  assert.ok(roaming && audit && split && fresh);
  const audited = `${audit}: {mode: everywhere}, ${roaming}: {mode: 'off'}`;
  const modes = `{${audited}, ${fresh}: {mode: single, home: west}}`;
  const groups = `{include: [${[roaming, audit, split, fresh].join()}], homeIdle: 2s, modes: ${modes}}`;
  const defaults = `defaults: {topics: {include: ["${topic}.*"]}, groups: ${groups}}`;
  const mesh = await writeMesh(dir, [defaults]);
  await using scope = new Scope();
  const east = scope.own(await openTestCluster('east'));
  const west = scope.own(await openTestCluster('west'));
  const write = async (name: string, values: readonly string[]): Promise<void> => {
    const records = values.map((value) => ({
      key: null,
      value: Buffer.from(value),
      timestampMs: Date.now(),
    }));
    await appendRecords(east, name, 0, records);
  };
  const values = Array.from({ length: 50 }, (_, index) => `${index}`);
  await makeTopic(east, topic);
  await write(topic, values);
  const options = { topologyFile: mesh.file, logDir: dir };
  const agents = { east: await startAgent({ ...options, site: 'east' }) };
  scope.own(agents.east);
  const westAgent = scope.own(await startAgent({ ...options, site: 'west' }));
  await until('the copy', async () => {
    const found = (await west.metadata()).topics.get(`east.${topic}`)?.partitions[0];
    return found !== undefined && (await readAll(west, `east.${topic}`, 0)).length === 50;
  });
  const at = (topicAt: string, offset: bigint) => [
    { topic: topicAt, partition: 0, offset, metadata: '' },
  ];
  await east.commitGroupOffsets(roaming, at(topic, 10n));
  await east.commitGroupOffsets(split, at(topic, 10n));
  await west.commitGroupOffsets(split, at(`east.${topic}`, 20n));
  const knows = async (group: string, offset: string): Promise<boolean> => {
    const { text } = await westAgent.get(`/v1/translate?group=${group}&from=east&to=west`);
    return text.includes(`"offset": "${offset}"`);
  };
  await until('west to know the groups', async () => {
    return (await knows(roaming, '10')) && (await knows(split, '10'));
  });
  await until('both agents to find that one contested', async () => {
    const both = [agents.east, westAgent].map(async (agent) => {
      const { text } = await agent.get(`/v1/translate?group=${split}&from=east&to=west`);
      return text.includes('"mode": "contested"');
    });
    return (await Promise.all(both)).every((isFound) => isFound);
  });

  const { Kafka, logLevel } = kafkajs;
  const kafka = (site: TestSite) =>
    new Kafka({ brokers: brokersOf(site), logLevel: logLevel.NOTHING });
  const optionsOf = (group: string, more: Partial<MeshConsumerOptions> = {}) => ({
    group,
    sites: {
      east: { kafka: kafka('east'), agents: [agents.east.grpc] },
      west: { kafka: kafka('west'), agents: [westAgent.grpc] },
    },
    topics: new RegExp(`^${topic}`),
    topicsMs: 500,
    ...more,
  });
  const refused = async (
    group: string,
    more: Partial<MeshConsumerOptions>,
    code: string,
    text: RegExp,
  ): Promise<void> => {
    await using consumer = new MeshConsumer(optionsOf(group, more));
    await assert.rejects(consumer.run({ eachMessage: () => Promise.resolve() }), (error) => {
      assert.ok(error instanceof MeshError, String(error));
      assert.match(error.message, text);
      return error.code === code;
    });
  };
  const unknown = { ...optionsOf(roaming).sites, wst: { kafka: kafka('west') } };
  const alone = { east: { kafka: kafka('east') }, west: { kafka: kafka('west') } };
  await Promise.all([
    refused(roaming, {}, 'precondition', /no home of .* is known: declare it.* or give firstSite/),
    refused(audit, {}, 'precondition', /is of mode everywhere: .* Use a plain consumer at each/),
    refused(split, {}, 'precondition', /is contested: it has positions of its own at several/),
    refused(roaming, { sites: unknown }, 'site_unknown', /no site wst in mesh .*: .*|no site wst/),
    refused(
      uniqueName('nobody'),
      { sites: alone, agentTimeoutMs: 500 },
      'precondition',
      /no agent answers, and no offsets of .* are at any site \(east: no offset of it; west: /,
    ),
  ]);

  // Told where: at the very record, although nothing was committed there. In batches.
  const reports: StartReport[] = [];
  const read: string[] = [];
  await using consumer = new MeshConsumer(
    optionsOf(roaming, { firstSite: 'west', hooks: { onStart: (report) => reports.push(report) } }),
  );
  await consumer.run({
    eachBatch: ({ batch, bornAs, birth, site }) => {
      assert.equal(site, 'west');
      for (const message of batch.messages) {
        const { site: born, topic: name, offset } = birth(message) ?? {};
        read.push(`${born}/${name}@${offset} ${bornAs} ${message.value?.toString()}`);
      }
      return Promise.resolve();
    },
  });
  await until('the rest to be read', () => read.length >= 40, 30_000);
  assert.deepEqual(
    read,
    values.slice(10).map((value) => `east/${topic}@${value} ${topic} ${value}`),
  );
  const [report] = reports;
  const [position] = report?.positions ?? [];
  assert.deepEqual(
    [report?.basis, report?.verdict, report?.rereadAtMost, position?.how, position?.reason],
    ['first', 'exact', 0n, 'translated', 'in_run'],
  );
  assert.equal(consumer.status().state, 'running');

  // A topic that comes later is read from its first record, without being asked for.
  await makeTopic(east, `${topic}-more`);
  await write(`${topic}-more`, ['first']);
  await until('the new topic to be read', () => read.length >= 41, 30_000);
  assert.equal(read.at(-1), `east/${topic}-more@0 ${topic}-more first`);
  await consumer.stop();
  assert.equal(consumer.status().state, 'stopped');
  const committed = (await west.groupOffsets(roaming)).filter(({ offset }) => offset >= 0n);
  const ends = await west.listOffsets(committed, 'latest');
  const placed = (all: readonly { topic: string; offset: bigint }[]): string[] =>
    all.map((one) => `${one.topic}@${one.offset}`).sort();
  assert.deepEqual(placed(committed), placed(ends));

  // A group that has never read anything starts at its home, at the first record.
  await using newcomer = new MeshConsumer(optionsOf(fresh));
  const found: string[] = [];
  await newcomer.run({
    eachMessage: ({ message }) => {
      found.push(message.value?.toString() ?? '');
      return Promise.resolve();
    },
  });
  await until('all of it to be read', () => found.length >= 51, 30_000);
  assert.equal(newcomer.status().start?.site, 'west');
});

test('the package is what an application imports', async () => {
  const program = `
    import { MeshConsumer, MeshError } from 'causeway/client';
    try { new MeshConsumer({ group: '', sites: {}, topics: 'a' }); }
    catch (error) { console.log(error instanceof MeshError, error.code); }`;
  const { lines } = await runClient(process.execPath, ['--input-type=module', '-e', program]);
  assert.deepEqual(lines, ['true usage']);
});
