/** Pauses and limits, as operators set them: durable, told, taken back, refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { statusSchema, type AgentStatusJson } from '../../src/client/answers.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { uniqueName } from '../support/clusters.ts';
import { causeway, meshText, writeMesh } from '../support/mesh.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-controls-'));
const topic = uniqueName('controlled');
const flow = 'east->west';
const records = Array.from({ length: 10 }, (_, index) => ({
  key: null,
  value: Buffer.from(`record ${index}`),
  timestampMs: Date.now(),
}));

describe('pauses and limits', () => {
  let east: KafkaCluster;
  let west: KafkaCluster;
  let agent: AgentProcess;
  let mesh: Awaited<ReturnType<typeof writeMesh>>;

  before(async () => {
    east = await openTestCluster('east');
    west = await openTestCluster('west');
    await makeTopic(east, topic, 1);
    mesh = await writeMesh(dir, [`defaults: {topics: {include: [${topic}]}}`]);
    agent = await startAgent({ site: 'west', topologyFile: mesh.file, logDir: dir });
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await east[Symbol.asyncDispose]();
    await west[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  });

  const run = async (command: string, ...args: string[]): Promise<string> => {
    const { code, text } = await causeway(command, ...args, '--topology', mesh.file);
    assert.equal(code, 0, text);
    return text;
  };
  const status = async (): Promise<AgentStatusJson> => {
    const { text } = await causeway('status', '--connect', agent.grpc, '-o', 'json');
    const [found] = statusSchema.parse(JSON.parse(text)).agents;
    assert.ok(found !== undefined, text);
    return found;
  };
  const copied = async (): Promise<number> => {
    const found = (await west.metadata()).topics.get(`east.${topic}`)?.partitions[0];
    const isLed = found !== undefined && found.leader >= 0;
    return isLed ? (await readAll(west, `east.${topic}`, 0)).length : 0;
  };
  /** Once the agent has seen them at the source. */
  const waiting = async (count: number): Promise<void> => {
    await until(`${count} to wait`, async () => {
      return (await status()).flows[0]?.lagRecords === String(count);
    });
  };

  test('a pause outlives kill -9, is shown with who and why, and is taken back', async () => {
    await appendRecords(east, topic, 0, records);
    await until('the copy', async () => (await copied()) === 10, 60_000);
    const why = ['--why', 'the link is needed', '--for', '6h'];
    const said = await run('pause', `${flow}/${topic}`, ...why);
    assert.match(said, new RegExp(`^paused ${flow}/${topic} by .+ until 2.+Z: the link is needed`));
    await appendRecords(east, topic, 0, records);
    await waiting(10);

    await agent.kill();
    agent = await startAgent({ site: 'west', topologyFile: mesh.file, logDir: dir });
    await appendRecords(east, topic, 0, records);
    await waiting(20);
    assert.equal(await copied(), 10);
    const { overrides, flows } = await status();
    assert.deepEqual(
      overrides.map(({ kind, flow: id, topic: name, why: reason }) => [kind, id, name, reason]),
      [['pause', flow, topic, 'the link is needed']],
    );
    assert.equal(flows[0]?.heldBy, 'paused');
    const table = await run('status');
    assert.match(table, /^OVERRIDE +WHAT +BY +SINCE +UNTIL +WHY$/m);
    assert.match(table, new RegExp(`^${flow}/${topic} +paused .* the link is needed$`, 'm'));

    const inner = await causeway('resume', `${flow}/${topic}/0`, '--topology', mesh.file);
    assert.equal(inner.code, 3);
    assert.match(inner.text, new RegExp(`${flow}/${topic} is paused by .*: resume that`));
    assert.match(await run('resume', flow), new RegExp(`^resumed ${flow}/${topic}, paused by`));
    await until('the rest', async () => (await copied()) === 30);
    assert.deepEqual((await status()).overrides, []);
    assert.match(await run('resume', flow), /was not paused/);

    const events = await readAll(west, '__causeway-events', 0);
    const kinds = events
      .map(({ value }) => JSON.parse(String(value)) as { kind: string; topic: string })
      .filter((event) => event.topic === topic)
      .map(({ kind }) => kind);
    assert.deepEqual(kinds, ['paused']);
  });

  test('a pause ends by itself when its time is up', async () => {
    await run('pause', `${flow}/${topic}/0`, '--for', '3s');
    await appendRecords(east, topic, 0, records);
    assert.equal((await status()).overrides[0]?.partition, 0);
    await until('the copy', async () => (await copied()) === 40);
    assert.deepEqual((await status()).overrides, []);
  });

  test('limits change while the flow runs: by command, by the topology, by neither', async () => {
    const limit = async (): Promise<number | undefined> =>
      (await status()).flows[0]?.limitBytesPerSecond;
    assert.equal(await limit(), undefined);
    assert.match(await run('limit', flow, '2MB', '--why', 'test'), /2\.0 MB\/s by .*: test/);
    assert.equal(await limit(), 2_000_000);
    const newer = path.join(dir, 'newer.yaml');
    const more = [`defaults: {topics: {include: [${topic}]}, limit: {bytesPerSecond: 5MB}}`];
    writeFileSync(newer, meshText({ ...mesh, version: 2, more }));
    await using other = await startAgent({ site: 'east', topologyFile: newer, logDir: dir });
    await until('the newer topology', async () => (await status()).topologyVersion === 2);
    assert.equal(other.state, 'running');
    assert.equal(await limit(), 2_000_000, 'what somebody set goes before the file');
    assert.match(await run('limit', flow, 'file'), /5\.0 MB\/s as the topology file says/);
    assert.equal(await limit(), 5_000_000);
    assert.match(await run('limit', flow, 'none'), /no limit by/);
    assert.equal(await limit(), undefined);
    assert.match(await run('status'), /^east->west +no limit /m);
    await run('limit', flow, 'file');
    const log = readFileSync(agent.logFile, 'utf8');
    const starts = log.split('\n').filter((line) => line.includes('"flow started"'));
    assert.equal(starts.length, 2, 'once for each life of the agent');
  });

  const bad: readonly [string, string[], number, RegExp][] = [
    ['no flow', ['pause', 'orders'], 2, /found "orders", wanted FLOW\[\/TOPIC\[\/PARTITION\]\]/],
    ['what the shell leaves', ['pause', 'east-'], 2, /put it in quotes: 'east->\.\.\.'/],
    ['no such site', ['pause', 'east->nort'], 2, /no site nort/],
    ['a flow of other agents', ['pause', 'west->east', '--timeout', '2'], 1, /no agent answered/],
    ['no such topic', ['pause', `${flow}/other`], 3, /east->west carries no topic other/],
    ['no such partition', ['pause', `${flow}/${topic}/7`], 3, /partitions 0 to 0: no 7/],
    ['no partition', ['resume', `${flow}/${topic}/x`], 2, /wanted FLOW/],
    ['no duration', ['pause', flow, '--for', '5y'], 2, /--for: found "5y", wanted a duration/],
    ['no time', ['pause', flow, '--until', 'soon'], 2, /--until: found "soon", wanted an ISO/],
    ['the past', ['pause', flow, '--until', '2020-01-01'], 2, /wanted a time that is yet to come/],
    [
      'too far',
      ['pause', flow, '--for', '100000000d'],
      2,
      /found 100000000 days, .* within ten years/,
    ],
    ['two ends', ['pause', flow, '--for', '1h', '--until', '2030-01-01'], 2, /wanted one of them/],
    ['no size', ['limit', flow, '20MX'], 2, /size: found "20MX", wanted 20MiB/],
    ['nothing', ['limit', flow, '0'], 2, /size: found "0", wanted 20MiB/],
    ['a part', ['limit', `${flow}/${topic}`, '1MB'], 2, /wanted a flow such as east->west/],
  ];
  for (const [name, args, code, pattern] of bad) {
    test(`refused: ${name}`, async () => {
      const answer = await causeway(...args, '--topology', mesh.file);
      assert.equal(answer.code, code, answer.text);
      assert.match(answer.text, pattern);
      assert.deepEqual((await status()).overrides, []);
    });
  }
});
