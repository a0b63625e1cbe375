import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Semaphore } from '../../../src/base/semaphore.ts';

test('never more at once than permitted, all in the end, in order', async () => {
  const semaphore = new Semaphore(2);
  const { signal } = new AbortController();
  const started: number[] = [];
  let running = 0;
  let runningMax = 0;
  const work = (n: number) => async (): Promise<void> => {
    started.push(n);
    running += 1;
    runningMax = Math.max(runningMax, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  await Promise.all([1, 2, 3, 4, 5].map((n) => semaphore.run(work(n), signal)));
  assert.deepEqual(started, [1, 2, 3, 4, 5]);
  assert.equal(runningMax, 2);
});

test('a failure or an abort gives the permit back', async () => {
  const semaphore = new Semaphore(1);
  const controller = new AbortController();
  await assert.rejects(
    semaphore.run(() => Promise.reject(new Error('broken')), controller.signal),
    /broken/,
  );
  controller.abort();
  await assert.rejects(
    semaphore.run(() => Promise.resolve(), controller.signal),
    /called off/,
  );
  assert.equal(await semaphore.run(() => Promise.resolve(7), new AbortController().signal), 7);
});
