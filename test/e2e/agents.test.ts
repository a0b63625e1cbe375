/** Two agents over real Kafka as people and programs meet them: commands, HTTP, gRPC, bad input. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { service as health } from 'grpc-health-check';
import { lagSchema, statusSchema, type StatusJson } from '../../src/client/answers.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { uniqueName } from '../support/clusters.ts';
import { causeway, meshText, writeMesh } from '../support/mesh.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-agents-'));
after(() => rmSync(dir, { recursive: true }));

const records = Array.from({ length: 100 }, (_, index) => ({
  key: null,
  value: Buffer.from(`record ${index}`),
  timestampMs: Date.now(),
}));

async function statusOf(file: string): Promise<StatusJson> {
  const { code, text } = await causeway('status', '--topology', file, '-o', 'json');
  assert.equal(code, 0, text);
  return statusSchema.parse(JSON.parse(text));
}

async function copied(topic: string): Promise<number> {
  await using west = await openTestCluster('west');
  const found = (await west.metadata()).topics.get(topic)?.partitions[0];
  return found === undefined || found.leader < 0 ? 0 : (await readAll(west, topic, 0)).length;
}

/** A call that answers once, by any service definition. */
function call(
  address: string,
  definition: grpc.ServiceDefinition,
  method: string,
  request: object,
): Promise<unknown> {
  const Client = grpc.makeGenericClientConstructor(definition, 'Any');
  const client = new Client(address, grpc.credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const deadline = new Date(Date.now() + 10_000);
    const done = (error: Error | null, answer: unknown): void => {
      client.close();
      if (error === null) resolve(answer);
      else reject(error);
    };
    // The constructor makes a method for each call of the service.
    const methods = client as unknown as Record<
      string,
      (
        request: object,
        options: object,
        done: (error: Error | null, answer: unknown) => void,
      ) => void
    >;
    methods[method]?.(request, { deadline }, done);
  });
}

async function reflectedServices(address: string): Promise<string[]> {
  const require = createRequire(import.meta.url);
  const folder = path.join(path.dirname(require.resolve('@grpc/reflection')), '..', 'proto');
  const loaded = loadSync('grpc/reflection/v1/reflection.proto', { includeDirs: [folder] });
  // The name that the file gives to its service.
  const definition = loaded['grpc.reflection.v1.ServerReflection'] as grpc.ServiceDefinition;
  const Client = grpc.makeGenericClientConstructor(definition, 'Reflection');
  const client = new Client(address, grpc.credentials.createInsecure());
  const methods = client as unknown as Record<
    string,
    () => grpc.ClientDuplexStream<object, object>
  >;
  const stream = methods['ServerReflectionInfo']?.();
  if (stream === undefined) throw new Error('no such call');
  const answer = await new Promise<object>((resolve, reject) => {
    stream.on('data', resolve);
    stream.on('error', reject);
    stream.write({ listServices: '*' });
  });
  stream.end();
  client.close();
  const { listServicesResponse } = answer as {
    listServicesResponse: { service: { name: string }[] };
  };
  return listServicesResponse.service.map(({ name }) => name);
}

describe('two agents', () => {
  test('copy, say how things stand, pause and go on', async () => {
    const topic = uniqueName('asked');
    const mesh = await writeMesh(dir, [`defaults: {topics: {include: [${topic}]}}`]);
    const options = { topologyFile: mesh.file, logDir: dir };
    await using east = await openTestCluster('east');
    await makeTopic(east, topic);
    await using eastAgent = await startAgent({ ...options, site: 'east' });
    await using westAgent = await startAgent({ ...options, site: 'west' });
    await appendRecords(east, topic, 0, records);
    await until('the copy', async () => (await copied(`east.${topic}`)) === 100, 60_000);

    const status = await until('both to be current and connected', async () => {
      const found = await statusOf(mesh.file);
      const isGood = found.agents.every(
        ({ peers, flows }) =>
          peers.every(({ state }) => state === 'connected') &&
          flows.every(({ state }) => state === 'current'),
      );
      return isGood && found;
    });
    assert.deepEqual(status.agents.map(({ identity }) => identity.agent).sort(), [
      'east-1',
      'west-1',
    ]);
    const table = await causeway('status', '--topology', mesh.file);
    assert.match(table.text, /^FLOW +AGENT +STATE/m);
    assert.match(table.text, /^east->west +west-1 +current +0 /m);

    const paused = await causeway('pause', 'east->west', '--topology', mesh.file);
    assert.equal(paused.code, 0, paused.text);
    await appendRecords(east, topic, 0, records);
    const held = await until('the pause to show', async () => {
      const { code, text } = await causeway('lag', '--connect', westAgent.grpc, '-o', 'json');
      assert.equal(code, 0, text);
      const [flow] = lagSchema.parse(JSON.parse(text)).flows;
      return flow?.lagRecords === '100' && flow;
    });
    assert.equal(held.heldBy, 'paused');
    assert.equal(await copied(`east.${topic}`), 100);
    const lines = await causeway('lag', '--partitions', '--topology', mesh.file);
    assert.match(lines.text, new RegExp(`${topic}/0 +copying +100 +200 +100`));
    await causeway('resume', 'east->west', '--connect', westAgent.grpc);
    await until('the rest', async () => (await copied(`east.${topic}`)) === 200);

    await checkHttp(westAgent, topic);
    await checkGrpc(eastAgent);
  });

  test('a newer topology is taken over while running; two of one version are told apart', async () => {
    const topic = uniqueName('topology');
    const mesh = await writeMesh(dir, [`defaults: {topics: {include: [${topic}]}}`]);
    const options = { topologyFile: mesh.file, logDir: dir };
    await using east = await startAgent({ ...options, site: 'east' });
    await using west = await startAgent({ ...options, site: 'west' });
    const versions = async (): Promise<number[]> =>
      (await statusOf(mesh.file)).agents.map(({ topologyVersion }) => topologyVersion);
    assert.equal(east.state, 'running');
    assert.deepEqual(await versions(), [1, 1]);

    const newer = path.join(dir, 'newer.yaml');
    writeFileSync(
      newer,
      meshText({ ...mesh, version: 2, more: [...mesh.more, 'flows: [{from: east, to: west}]'] }),
    );
    await west.stop();
    await using again = await startAgent({ site: 'west', topologyFile: newer, logDir: dir });
    await until('east to take it over', async () => (await versions()).join() === '2,2');
    const flows = (await statusOf(newer)).agents.map((agent) => agent.flows.length);
    assert.deepEqual(flows, [0, 1], 'west->east is gone without a restart of east');

    await again.stop();
    const other = path.join(dir, 'other.yaml');
    writeFileSync(
      other,
      meshText({ ...mesh, version: 2, more: [...mesh.more, 'flows: [{from: west, to: east}]'] }),
    );
    await using contradicting = await startAgent({
      site: 'west',
      topologyFile: other,
      logDir: dir,
    });
    const text = await until('the conflict to be told', async () => {
      const told = (await causeway('status', '--topology', other)).text;
      return told.includes('two topologies of one version') && told;
    });
    assert.equal(contradicting.state, 'running');
    assert.match(text, /east->west|west->east/);
  });

  test('an agent of another mesh at the address of a peer is refused by name', async () => {
    const mesh = await writeMesh(dir, ['defaults: {topics: {include: [nothing]}}']);
    const foreign = path.join(dir, 'foreign.yaml');
    writeFileSync(foreign, meshText({ ...mesh, mesh: 'foreign' }));
    await using west = await startAgent({ site: 'west', topologyFile: foreign, logDir: dir });
    await using east = await startAgent({ site: 'east', topologyFile: mesh.file, logDir: dir });
    assert.equal(west.state, 'running');
    const text = await until('the refusal', async () => {
      const told = (await causeway('status', '--connect', east.grpc)).text;
      return told.includes('refused') && told;
    });
    assert.match(
      text,
      new RegExp(`found west-1 of mesh foreign, wanted west-1 of mesh ${mesh.mesh}`),
    );
  });
});

async function checkHttp(agent: AgentProcess, topic: string): Promise<void> {
  assert.deepEqual(await agent.get('/livez'), { status: 200, text: 'ok\n' });
  assert.deepEqual(await agent.get('/readyz'), { status: 200, text: 'ready\n' });
  const { text: metrics } = await agent.get('/metrics');
  assert.match(metrics, /^causeway_flow_records_total\{[^}]*flow="east->west"[^}]*\} 200/m);
  assert.match(metrics, /^causeway_flow_lag_seconds\{[^}]*flow="east->west"[^}]*\} 0/m);
  assert.match(metrics, /^causeway_peer_connected\{[^}]*peer="east-1"[^}]*\} 1/m);
  const lag = await agent.get('/v1/lag');
  assert.equal(lagSchema.parse(JSON.parse(lag.text)).flows[0]?.flow, 'east->west');
  const where = `/v1/translate?group=any&from=east&to=west&position=${topic}/0@`;
  const good = await agent.get(`${where}150`);
  assert.equal(good.status, 200);
  assert.match(good.text, /"certainty": "exact"/);
  const bad = await agent.get(`${where}many`);
  assert.equal(bad.status, 400);
  assert.match(bad.text, /wanted topic\/partition@offset/);
  assert.equal((await agent.get('/v1/translate?group=nobody&from=east&to=west')).status, 404);
  const site = await agent.get('/v1/translate?group=nobody&from=east&to=nort');
  assert.match(site.text, /no site nort; declared are east, west/);
  const nothing = await agent.get('/v2/status');
  assert.equal(nothing.status, 404);
  assert.match(nothing.text, /there are \/livez, /);
  const posted = await fetch(`http://${agent.http}/v1/status`, { method: 'POST' });
  assert.equal(posted.status, 405);
}

async function checkGrpc(agent: AgentProcess): Promise<void> {
  const answer = await call(agent.grpc, health, 'Check', { service: '' });
  assert.deepEqual(answer, { status: 'SERVING' });
  const services = await reflectedServices(agent.grpc);
  for (const name of ['Flow', 'Checkpoint', 'Failover', 'Topology']) {
    assert.ok(services.includes(`causeway.v1.${name}Service`), services.join());
  }
}

describe('an agent that cannot start says where, what was found and what was wanted', () => {
  const cases: readonly [string, (file: string) => string[], number, RegExp][] = [
    [
      'no such site',
      (file) => ['agent', '--site', 'nort', '--topology', file],
      2,
      /no site nort; declared are east, west/,
    ],
    [
      'no such agent',
      (file) => ['agent', '--site', 'east', '--agent', '5', '--topology', file],
      2,
      /site east declares 1 agents: no agent 5/,
    ],
    [
      'no number',
      (file) => ['agent', '--site', 'east', '--agent', 'x', '--topology', file],
      2,
      /--agent: found "x", wanted a number from 1 on/,
    ],
    [
      'no file',
      () => ['agent', '--site', 'east', '--topology', 'nowhere.yaml'],
      2,
      /nowhere\.yaml/,
    ],
    ['no command', () => ['replicate'], 2, /unknown command 'replicate'/],
    [
      'no agent there',
      () => ['status', '--connect', 'localhost:1', '--timeout', '2'],
      1,
      /localhost:1/,
    ],
  ];
  for (const [name, args, wanted, pattern] of cases) {
    test(name, async () => {
      const { file } = await writeMesh(dir, []);
      const { code, text } = await causeway(...args(file));
      assert.equal(code, wanted, text);
      assert.match(text, pattern);
    });
  }

  test('a port in use', async () => {
    const { file, ports } = await writeMesh(dir, []);
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(ports[1], 'localhost', resolve));
    const { code, text } = await causeway('agent', '--site', 'east', '--topology', file);
    server.close();
    assert.notEqual(code, 0);
    assert.match(text, new RegExp(`localhost:${ports[1]}`));
  });
});
