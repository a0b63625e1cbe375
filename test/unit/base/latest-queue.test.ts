import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatestQueue } from '../../../src/base/latest-queue.ts';

test('keeps the latest value of each key, in the order of the last change', async () => {
  const queue = new LatestQueue<string>();
  queue.put('a', 'a1');
  queue.put('b', 'b1');
  queue.put('a', 'a2');
  const { signal } = new AbortController();
  assert.deepEqual(await queue.take(10, signal), ['b1', 'a2']);
});

test('take waits for a value, gives at most max, and ends on abort', async () => {
  const queue = new LatestQueue<number>();
  const controller = new AbortController();
  const waiting = queue.take(1, controller.signal);
  queue.put('x', 1);
  queue.put('y', 2);
  assert.deepEqual(await waiting, [1]);
  assert.deepEqual(await queue.take(1, controller.signal), [2]);
  const ended = queue.take(1, controller.signal);
  controller.abort();
  assert.deepEqual(await ended, []);
});
