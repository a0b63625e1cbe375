/** The sandbox as people use it: by the built command line, with its processes looked at. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { SandboxJson } from '../../src/cli/print/sandbox.ts';
import { openCluster } from '../../src/kafka/session.ts';
import { isPortFree } from '../../src/sandbox/free-ports.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { parseTopology } from '../../src/topology/parse.ts';
import { testDeps } from '../support/deps.ts';
import { quickReturn } from '../support/quick-return.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { runClient } from '../support/tools.ts';
import { appendRecords, makeTopic, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const cli = path.join(root, 'bin', 'causeway');
const temp = mkdtempSync(path.join(os.tmpdir(), 'causeway-sandbox-'));
const context = { env: process.env, isTied: true, onProgress: () => undefined };
const deps = testDeps();

after(async () => {
  for (const name of readdirSync(temp)) {
    const dir = path.join(temp, name);
    if (existsSync(path.join(dir, 'sandbox.json'))) await findSandbox(dir, context, deps).down();
  }
  rmSync(temp, { recursive: true });
});

async function causeway(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, lines } = await runClient(process.execPath, [cli, 'sandbox', ...args], 120_000);
  return { code, text: lines.join('\n') };
}

/** Pids of all processes whose command line names the folder. */
function processesOf(dir: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid) || pid === process.pid) return false;
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes('kafka.') && line.includes(`${dir}/`);
      } catch {
        return false; // It has just ended.
      }
    });
}

test('up, status, kill, restart, freeze, thaw, down', async () => {
  const dir = path.join(temp, 'cli');
  const raised = await causeway('up', '--dir', dir, '--sites', 'east', '--kafka', '4.3.0');
  assert.equal(raised.code, 0, raised.text);
  const status = async (): Promise<SandboxJson['sites'][number]['brokers'][number]> => {
    const { text } = await causeway('status', '--dir', dir, '-o', 'json');
    const [site] = (JSON.parse(text) as SandboxJson).sites;
    assert.ok(site?.brokers[0]);
    return site.brokers[0];
  };
  const first = await status();
  assert.deepEqual(processesOf(dir), [first.pid]);
  const { sites } = parseTopology(readFileSync(path.join(dir, 'mesh.yaml'), 'utf8'), 'mesh.yaml');
  assert.deepEqual([...sites.values()][0]?.kafka.brokersLocal, [first.address]);

  const again = await causeway('up', '--dir', dir, '--sites', 'east');
  assert.equal(again.code, 1);
  assert.match(again.text, /is running/);

  await causeway('freeze', 'east', '--dir', dir);
  assert.equal((await status()).state, 'frozen');
  await causeway('thaw', 'east', '--dir', dir);
  assert.equal((await status()).state, 'running');

  assert.equal((await causeway('kill', 'east/1', '--dir', dir)).code, 0);
  assert.deepEqual([(await status()).state, processesOf(dir)], ['gone', []]);
  assert.equal((await causeway('restart', 'east', '--dir', dir)).code, 0);
  const second = await status();
  assert.equal(second.address, first.address);
  assert.notEqual(second.pid, first.pid);

  assert.equal((await causeway('kill', 'north', '--dir', dir)).code, 2);
  assert.equal((await causeway('kill', 'east/7', '--dir', dir)).code, 2);
  assert.equal((await causeway('down', '--dir', dir)).code, 0);
  assert.deepEqual(processesOf(dir), []);
  assert.equal((await causeway('down', '--dir', dir)).code, 0);
  assert.equal((await causeway('status', '--dir', path.join(temp, 'none'))).code, 1);
});

test('in the foreground, Ctrl-C stops it all; so does kill -9 of the command', async () => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const dir = path.join(temp, `foreground-${signal.toLowerCase()}`);
    const args = [cli, 'sandbox', 'up', '--dir', dir, '--sites', 'east', '--foreground'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    assert.equal(processesOf(dir).length, 1);
    child.kill(signal);
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, signal === 'SIGINT' ? 0 : null);
    await until('the broker to be gone', () => processesOf(dir).length === 0);
  }
});

test('called off while it starts: nothing stays', async () => {
  const dir = path.join(temp, 'interrupted');
  const args = [cli, 'sandbox', 'up', '--dir', dir, '--sites', 'east,west'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  await until('a process to be started', () => processesOf(dir).length > 0);
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 1);
  assert.deepEqual(processesOf(dir), []);
});

describe('the library', () => {
  test('a broker that cannot start: says why, and the other site does not stay', async () => {
    const dir = path.join(temp, 'failing');
    const sites = [
      { name: 'east', kafkaVersion: '4.3.0' },
      { name: 'west', kafkaVersion: '4.3.0', extraConfig: { 'authorizer.class.name': 'no.Such' } },
    ];
    await assert.rejects(openSandbox({ dir, sites, isTied: true }, deps), /west[^]*no\.Such/);
    assert.deepEqual(processesOf(dir), []);
  });

  test('a port that is taken, a folder that holds another sandbox', async () => {
    await using taken = await TcpProxy.open();
    const dir = path.join(temp, 'refused');
    const east = { name: 'east', kafkaVersion: '4.3.0', extraConfig: quickReturn };
    const asked = openSandbox({ dir, sites: [{ ...east, ports: [taken.port] }] }, deps);
    await assert.rejects(asked, new RegExp(`localhost:${taken.port}`));
    await using sandbox = await openSandbox({ dir, sites: [east], isTied: true }, deps);
    await sandbox.down();
    const other = openSandbox({ dir, sites: [{ ...east, kafkaVersion: '3.9.2' }] }, deps);
    await assert.rejects(other, /holds a sandbox of east \(4\.3\.0/);
    assert.deepEqual(processesOf(dir), []);
  });

  test('what was written is there after down and up, on the same ports', async () => {
    const dir = path.join(temp, 'kept');
    const sites = [{ name: 'east', kafkaVersion: '3.9.2', extraConfig: quickReturn }];
    const options = { dir, sites, isTied: true };
    const record = { timestampMs: 1_000, key: null, value: Buffer.from('still here') };
    const settings = (brokers: string[]) => ({ name: 'east', brokers, clientId: 'test' });
    const brokers = await (async () => {
      await using sandbox = await openSandbox(options, deps);
      await using cluster = await openCluster(settings(sandbox.site('east').brokers), deps);
      await makeTopic(cluster, 'kept');
      await appendRecords(cluster, 'kept', 0, [record]);
      return sandbox.site('east').brokers;
    })();
    assert.deepEqual(processesOf(dir), []);
    assert.ok(await isPortFree(Number(brokers[0]?.split(':')[1])));
    await using sandbox = await openSandbox(options, deps);
    assert.deepEqual(sandbox.site('east').brokers, brokers);
    await using cluster = await openCluster(settings(brokers), deps);
    const records = await readAll(cluster, 'kept', 0);
    assert.deepEqual(
      records.map(({ value }) => value?.toString()),
      ['still here'],
    );
  });

  test('three brokers: one dies and comes back; behind a proxy all are reached', async () => {
    await using proxies = await openProxies(3);
    const dir = path.join(temp, 'three');
    const wanPorts = proxies.list.map(({ port }) => port);
    const sites = [
      { name: 'east', kafkaVersion: '4.3.0', brokers: 3, wanPorts, extraConfig: quickReturn },
    ] as const;
    await using sandbox = await openSandbox({ dir, sites, isTied: true }, deps);
    const east = sandbox.site('east');
    proxies.list.forEach((proxy, at) => proxy.forwardTo(east.wanListeners[at] ?? ''));
    const settings = { name: 'east', brokers: [`localhost:${wanPorts[0] ?? 0}`], clientId: 'test' };
    await using cluster = await openCluster(settings, deps);
    const seen = async (): Promise<number[]> => {
      const { brokers } = await cluster.metadata();
      return [...brokers.values()].map(({ port }) => port).sort((one, other) => one - other);
    };
    assert.deepEqual(
      await seen(),
      wanPorts.toSorted((one, other) => one - other),
    );
    await east.kill(2);
    assert.deepEqual(
      east.status().brokers.map(({ state }) => state),
      ['running', 'gone', 'running'],
    );
    await until('the others to notice', async () => (await seen()).length === 2, 30_000);
    await east.restart(2);
    await until('all three again', async () => (await seen()).length === 3, 30_000);
  });
});

async function openProxies(count: number) {
  const list = await Promise.all(Array.from({ length: count }, () => TcpProxy.open()));
  return {
    list,
    async [Symbol.asyncDispose]() {
      for (const proxy of list) await proxy[Symbol.asyncDispose]();
    },
  };
}
