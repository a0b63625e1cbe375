/** A site is lost, its group goes on elsewhere at exactly its records, and comes back. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import {
  groupsSchema,
  planSchema,
  reportSchema,
  translateSchema,
} from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { startAgent } from '../support/agent-process.ts';
import { kafkaVersions } from '../support/clusters.ts';
import { committedAt } from '../support/committed.ts';
import { testDeps } from '../support/deps.ts';
import { causeway } from '../support/mesh.ts';
import { quickReturn } from '../support/quick-return.ts';
import { appendRecords, makeTopic, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-failover-'));
const deps = testDeps();
const context = { env: process.env, isTied: true, onProgress: () => undefined };
const perPartition = 1_000;

after(async () => {
  await findSandbox(dir, context, deps).down();
  rmSync(dir, { recursive: true });
});

function open(name: string, brokers: readonly string[]): Promise<KafkaCluster> {
  return openCluster({ name, brokers, clientId: 'failover-test' }, deps);
}

/** Reads as a member of the group until nothing more comes; the values, in no order. */
async function consume(brokers: string[], group: string, topics: string[], wanted: number) {
  const { Kafka, logLevel } = kafkajs;
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6_000 });
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(message.value?.toString() ?? '');
      return Promise.resolve();
    },
  });
  await until('the group to read', () => values.length >= wanted, 60_000);
  return { values, stop: () => consumer.disconnect() };
}

test('failover and failback: refused in time, exact, at home again', async () => {
  const sites = (['east', 'west'] as const).map((name) => ({
    name,
    kafkaVersion: kafkaVersions[name],
    extraConfig: quickReturn,
  }));
  const sandbox = await openSandbox({ dir, sites, isTied: true }, deps);
  const file = sandbox.meshFile;
  const modes = 'billing: {mode: single, home: east}, audit: {mode: single, home: east}';
  writeFileSync(file, `${readFileSync(file, 'utf8')}defaults: {groups: {modes: {${modes}}}}\n`);
  const brokers = { east: sandbox.site('east').brokers, west: sandbox.site('west').brokers };
  await using east = await open('east', brokers.east);
  await using west = await open('west', brokers.west);
  await makeTopic(east, 'orders', 2);
  await using eastAgent = await startAgent({ site: 'east', topologyFile: file, logDir: dir });
  await using westAgent = await startAgent({ site: 'west', topologyFile: file, logDir: dir });
  const write = async (round: number): Promise<void> => {
    for (const partition of [0, 1]) {
      const records = Array.from({ length: perPartition }, (_, index) => ({
        key: null,
        value: Buffer.from(`${partition}/${round * perPartition + index}`),
        timestampMs: Date.now(),
      }));
      await appendRecords(east, 'orders', partition, records, 'gzip');
    }
  };
  await write(0);
  const copy = await until(
    'the copy',
    async () => {
      const found = (await west.metadata()).topics.get('east.orders')?.partitions ?? [];
      if (found.length < 2 || found.some(({ leader }) => leader < 0)) return undefined;
      const logs = [await readAll(west, 'east.orders', 0), await readAll(west, 'east.orders', 1)];
      return logs.every(({ length }) => length === perPartition) && logs;
    },
    60_000,
  );
  /** Where the copy of a source offset is, by what is in the logs. */
  const placeOf = (partition: number, offset: number): number => {
    const found = copy[partition]?.find(
      ({ value }) => value?.toString() === `${partition}/${offset}`,
    );
    assert.ok(found);
    return found.offset;
  };
  const run = (from: string, to: string, ...more: string[]): ReturnType<typeof causeway> =>
    causeway(
      'failover',
      '--group',
      'billing',
      '--from',
      from,
      '--to',
      to,
      '--topology',
      file,
      ...more,
    );

  // What agents write elsewhere follows the group at its home, and touches nobody else's.
  const own = [{ topic: 'east.orders', partition: 0, offset: 7n, metadata: 'mine' }];
  await west.commitGroupOffsets('audit', own);
  for (const group of ['billing', 'audit']) {
    await east.commitGroupOffsets(group, [
      { topic: 'orders', partition: 0, offset: 400n, metadata: 'state of the application' },
      { topic: 'orders', partition: 1, offset: 700n, metadata: '' },
    ]);
  }
  const translated = { 'east.orders/0': placeOf(0, 400), 'east.orders/1': placeOf(1, 700) };
  await until('billing to be in step at west', async () => {
    const found = await committedAt(west, 'billing');
    return JSON.stringify(found) === JSON.stringify(translated);
  });
  const [note] = (await west.groupOffsets('billing')).filter(({ partition }) => partition === 0);
  assert.equal(note?.metadata, 'state of the application');
  await until('the other partition of audit', async () => {
    return (await committedAt(west, 'audit'))['east.orders/1'] === placeOf(1, 700);
  });
  assert.equal((await committedAt(west, 'audit'))['east.orders/0'], 7);

  // While it has members at home it is not moved.
  const member = await consume(brokers.east, 'billing', ['orders'], 900);
  const refused = await run('east', 'west', '--execute');
  assert.equal(refused.code, 3, refused.text);
  assert.match(refused.text, /east is reachable and billing has 1 members there: stop them first/);
  await member.stop();
  await east.commitGroupOffsets('billing', [
    { topic: 'orders', partition: 0, offset: 450n, metadata: '' },
    { topic: 'orders', partition: 1, offset: 750n, metadata: '' },
  ]);
  await until('west to know the last positions', async () => {
    const { text } = await westAgent.get('/v1/translate?group=billing&from=east&to=west');
    const answer = translateSchema.safeParse(JSON.parse(text));
    const offsets = answer.data?.positions.map(({ source }) => source.offset).join();
    return offsets === '450,750';
  });

  // The site is lost.
  await Promise.all([sandbox.site('east').kill(), eastAgent.kill()]);
  const plan = await until('the loss to be noticed', async () => {
    const { code, text } = await run('east', 'west', '-o', 'json');
    assert.equal(code, 0, text);
    const found = planSchema.parse(JSON.parse(text));
    return found.evidence.some((one) => one.startsWith('Kafka of east not reachable')) && found;
  });
  assert.ok(plan.evidence.some((one) => one.startsWith('agents of east silent')));
  assert.equal(plan.translation.verdict, 'exact');
  assert.equal(plan.lossRecordsAtLeast, '0');
  assert.deepEqual(
    plan.translation.positions.map(({ target }) => [target.topic, target.partition, target.offset]),
    [
      ['east.orders', 0, String(placeOf(0, 450))],
      ['east.orders', 1, String(placeOf(1, 750))],
    ],
  );
  const outdated = await run('east', 'west', '--execute', '--plan', 'ffffffff');
  assert.equal(outdated.code, 3, outdated.text);
  assert.match(
    outdated.text,
    new RegExp(`plan ffffffff is out of date: it would be ${plan.planId}`),
  );
  const readiness = await causeway('groups', '--site', 'west', '--topology', file, '-o', 'json');
  assert.equal(readiness.code, 0, readiness.text);
  assert.deepEqual(
    groupsSchema.parse(JSON.parse(readiness.text)).groups.map((one) => [one.group, one.state]),
    [
      ['audit', 'ready'],
      ['billing', 'ready'],
    ],
  );
  const all = (...more: string[]): ReturnType<typeof causeway> => {
    const sites = ['--all-groups', '--from', 'east', '--to', 'west', '--topology', file];
    return causeway('failover', ...sites, ...more);
  };
  const planned = await all();
  assert.equal(planned.code, 3, planned.text);
  assert.match(planned.text, /^billing +planned/m);
  assert.match(planned.text, /^audit +refused .* commits of its own at west \(east.orders\/0@7\)/m);
  const reportFile = path.join(dir, 'billing.json');
  const report = ['--plan', plan.planId, '--report', reportFile];
  const done = await run('east', 'west', '--execute', ...report);
  assert.equal(done.code, 0, done.text);
  const filed = reportSchema.parse(JSON.parse(readFileSync(reportFile, 'utf8')));
  assert.deepEqual(filed.home, { site: 'west', epoch: 2, state: 'moved' });
  const rest = await all('--execute', '--overwrite', '--report', path.join(dir, 'all.md'));
  assert.equal(rest.code, 0, rest.text);
  assert.match(rest.text, /^audit +moved +exact +2 of 2 /m);
  assert.match(rest.text, /^east->west: 1 moved$/m);
  assert.match(readFileSync(path.join(dir, 'all.md'), 'utf8'), /^# Failover of all groups/);
  assert.deepEqual(await committedAt(west, 'audit'), translated);

  // It goes on at exactly its records: all that it had not read, and none that it had.
  const there = await consume(brokers.west, 'billing', ['east.orders'], 800);
  const expected = [0, 1].flatMap((partition) =>
    Array.from({ length: perPartition }, (_, index) => index)
      .filter((index) => index >= (partition === 0 ? 450 : 750))
      .map((index) => `${partition}/${index}`),
  );
  assert.deepEqual([...there.values].sort(), expected.sort());
  const again = await run('east', 'west', '--execute');
  assert.equal(again.code, 3, again.text);
  assert.match(again.text, /the home of billing is west \(epoch 2\), not east/);

  // The site comes back with what was written there last, which crosses by itself.
  await sandbox.site('east').start();
  eastAgent.launch();
  await eastAgent.ready();
  await write(1);
  await until(
    'the late records to be read',
    () => there.values.length === 800 + 2 * perPartition,
    60_000,
  );
  await there.stop();
  const back = await until('the way back', async () => {
    const { code, text } = await run('west', 'east', '-o', 'json');
    const found = code === 0 ? planSchema.parse(JSON.parse(text)) : undefined;
    const isRead = found?.translation.positions.every(({ source }) => source.offset !== undefined);
    return found?.translation.verdict === 'exact' && isRead === true && found;
  });
  const returned = await run('west', 'east', '--execute', '--plan', back.planId);
  assert.equal(returned.code, 0, returned.text);
  assert.match(returned.text, /billing is at home at east \(epoch 3\)/);
  assert.deepEqual(await committedAt(east, 'billing'), { 'orders/0': 2_000, 'orders/1': 2_000 });

  // An agent whose own Kafka is dead has nowhere to store what it knows, and ends all the same.
  await sandbox.site('west').kill();
  const stoppedMs = performance.now();
  await westAgent.stop(30_000);
  assert.ok(performance.now() - stoppedMs < 20_000, westAgent.logTail());
});
