import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import {
  killProcess,
  processRef,
  processState,
  signalProcess,
  stopProcess,
  waitUntilNot,
  type ProcessRef,
} from '../../../src/sandbox/process-ref.ts';

function start(program: string): { child: ChildProcess; ref: ProcessRef } {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  assert.ok(child.pid !== undefined);
  const ref = processRef(child.pid);
  assert.ok(ref !== undefined);
  return { child, ref };
}

const waits = 'setInterval(() => {}, 1000)';
const isDeaf = `process.on('SIGTERM', () => {}); console.log('deaf'); ${waits}`;

test('runs, is frozen, thaws, is killed', async () => {
  const { ref } = start(waits);
  assert.equal(processState(ref), 'running');
  assert.ok(signalProcess(ref, 'SIGSTOP'));
  assert.ok(await waitUntilNot('running', ref, 5_000, systemClock));
  assert.equal(processState(ref), 'frozen');
  assert.ok(signalProcess(ref, 'SIGCONT'));
  assert.ok(await waitUntilNot('frozen', ref, 5_000, systemClock));
  await killProcess(ref, systemClock);
  assert.equal(processState(ref), 'gone');
  assert.equal(processRef(ref.pid), undefined);
});

test('a pid that somebody else has got is not ours: gone, and never signalled', async () => {
  const { ref } = start(waits);
  const earlier = { ...ref, startedAt: `${ref.startedAt}0` };
  assert.equal(processState(earlier), 'gone');
  assert.equal(signalProcess(earlier, 'SIGKILL'), false);
  await killProcess(earlier, systemClock);
  assert.equal(processState(ref), 'running');
  await killProcess(ref, systemClock);
});

test('stopping asks first, also a frozen process', async () => {
  const { child, ref } = start(waits);
  signalProcess(ref, 'SIGSTOP');
  const exit = once(child, 'exit');
  await stopProcess(ref, 10_000, systemClock);
  assert.deepEqual(await exit, [null, 'SIGTERM']);
});

test('stopping kills what does not listen', async () => {
  const { child, ref } = start(isDeaf);
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  const exit = once(child, 'exit');
  await stopProcess(ref, 100, systemClock);
  assert.deepEqual(await exit, [null, 'SIGKILL']);
});
