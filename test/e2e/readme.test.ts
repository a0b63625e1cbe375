/** The tour of the README, pasted into a shell as it stands there, but for ports and folder. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { freePorts } from '../../src/sandbox/free-ports.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { testDeps } from '../support/deps.ts';
import { kcat } from '../support/tools.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-readme-'));
const tourMsMax = 240_000;

after(async () => {
  const context = { env: process.env, isTied: false, onProgress: () => undefined };
  await findSandbox(path.join(dir, 'mesh'), context, testDeps()).down();
  rmSync(dir, { recursive: true });
});

async function tour(): Promise<string> {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const [, section = ''] = readme.split('## Five minutes\n');
  const blocks = [...(section.split('\n## ')[0] ?? '').matchAll(/^```sh\n([^]*?)^```$/gm)];
  const [east = 0, west = 0] = await freePorts(2, systemClock);
  return blocks
    .map(([, block = '']) => block)
    .join('')
    .replace('npm run setup && ', '')
    .replaceAll('/tmp/mesh', path.join(dir, 'mesh'))
    .replaceAll('19092', String(east))
    .replaceAll('19192', String(west));
}

/** Runs it in a process group of its own, which does not outlive the test. */
async function paste(script: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn('bash', ['-c', script], { cwd: root, env, detached: true });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => (text += part));
  }
  const group = child.pid ?? 0;
  const signal = AbortSignal.timeout(tourMsMax);
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const late = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([ended, late]);
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
  assert.ok(!signal.aborted, `not done in ${tourMsMax / 1000} s:\n${text}`);
  return text;
}

test('the tour does what it says', async () => {
  const script = await tour();
  assert.match(script, /causeway failover .*--execute/);
  const kcatFolder = path.dirname(await kcat());
  const text = await paste(script, {
    ...process.env,
    PATH: `${kcatFolder}:${process.env['PATH']}`,
  });
  for (const wanted of [
    /no problems/,
    /^order 1000$/m,
    /^order 400$/m,
    /^east\/orders\/0 +400 +east\.orders@401 +exact +in_run/m,
    /billing is at home at west \(epoch 2\)/,
    /^order 401$/m,
    /billing is at home at east \(epoch 3\)/,
  ]) {
    assert.match(text, wanted);
  }
});
