import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { isMeshError } from '../../../src/base/errors.ts';
import { meshFile } from '../../../src/sandbox/mesh-file.ts';
import { openSandbox, type SiteRequest } from '../../../src/sandbox/open-sandbox.ts';
import {
  claimFolder,
  emptyFolder,
  readState,
  writeState,
} from '../../../src/sandbox/state-file.ts';
import { parseTopology } from '../../../src/topology/parse.ts';
import { testDeps } from '../../support/deps.ts';

const temp = mkdtempSync(path.join(os.tmpdir(), 'causeway-state-'));
after(() => rmSync(temp, { recursive: true }));
const folder = (name: string): string => path.join(temp, name);

test('a new or empty folder is claimed; one with files of others is left alone', async () => {
  await claimFolder(folder('a/new'));
  assert.deepEqual(readState(folder('a/new')), { format: 1, sites: [] });
  mkdirSync(folder('theirs'));
  writeFileSync(folder('theirs/thesis.txt'), 'years of work');
  await assert.rejects(claimFolder(folder('theirs')), (error) => isMeshError(error, 'sandbox'));
  await emptyFolder(folder('theirs'));
  assert.deepEqual(readdirSync(folder('theirs')), ['thesis.txt']);
});

test('a folder that cannot be made: said, and at once', async () => {
  await assert.rejects(
    claimFolder('/proc/causeway/x'),
    /\/proc\/causeway\/x cannot be made: .*'\/proc\/causeway'/,
  );
});

test('a folder that is ours keeps its state when claimed again, and is emptied on demand', async () => {
  const dir = folder('ours');
  await claimFolder(dir);
  const site = { name: 'east', kafkaVersion: '4.3.0', clusterId: 'K', heapMb: 512, brokers: [] };
  writeState(dir, { format: 1, sites: [site] });
  writeFileSync(path.join(dir, 'mesh.yaml'), '');
  await claimFolder(dir);
  assert.deepEqual(readState(dir)?.sites, [site]);
  await emptyFolder(dir);
  assert.deepEqual(readdirSync(dir), ['sandbox.json']);
  assert.deepEqual(readState(dir)?.sites, []);
});

test('a state file that is somebody else’s is an error, not an empty sandbox', async () => {
  for (const text of ['{', '{}', '{"format":2,"sites":[]}', '{"format":1,"sites":[{"pid":1}]}']) {
    const dir = mkdtempSync(folder('bad-'));
    writeFileSync(path.join(dir, 'sandbox.json'), text);
    assert.throws(
      () => readState(dir),
      (error) => isMeshError(error, 'sandbox'),
    );
    await assert.rejects(claimFolder(dir), (error) => isMeshError(error, 'sandbox'));
    assert.equal(readFileSync(path.join(dir, 'sandbox.json'), 'utf8'), text);
  }
});

test('the mesh file is a topology with those sites, brokers and agents', () => {
  const agents = [
    { grpc: 'localhost:3', http: 'localhost:4' },
    { grpc: 'localhost:5', http: 'localhost:6' },
  ];
  const text = meshFile([
    { name: 'east', brokers: ['localhost:1', 'localhost:2'], agents },
    {
      name: 'west',
      brokers: ['localhost:9'],
      agents: [{ grpc: 'localhost:7', http: 'localhost:8' }],
    },
  ]);
  const { mesh, version, sites, flows } = parseTopology(text, 'mesh.yaml');
  assert.deepEqual([mesh, version, sites.size, flows.length], ['sandbox', 1, 2, 2]);
  const [east] = sites.values();
  assert.deepEqual(east?.kafka.brokersLocal, ['localhost:1', 'localhost:2']);
  assert.deepEqual(east.agents, agents);
});

test('requests that make no sense are refused before anything is touched', async () => {
  const east: SiteRequest = { name: 'east', kafkaVersion: '4.3.0' };
  const wrong: SiteRequest[][] = [
    [],
    [east, east],
    [{ ...east, name: 'East' }],
    [{ ...east, kafkaVersion: '4' }],
    [{ ...east, ports: [0] }],
    [{ ...east, ports: [19_092, 19_093] }],
    [{ ...east, brokers: 3, wanPorts: [19_092] }],
  ];
  for (const sites of wrong) {
    const asked = openSandbox({ dir: folder('refused'), sites }, testDeps());
    await assert.rejects(asked, (error) => isMeshError(error, 'usage'));
  }
  assert.ok(!readdirSync(temp).includes('refused'));
});
