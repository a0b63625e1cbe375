import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Bell } from '../../../src/base/bell.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { LinkedAbort } from '../../../src/base/linked-abort.ts';
import { Pause } from '../../../src/base/pause.ts';

const longMs = 60_000;

const listeners = ({ signal }: AbortController): number =>
  getEventListeners(signal, 'abort').length;

test('a bell wakes who sleeps, and the next one when nobody slept', async () => {
  const bell = new Bell(systemClock);
  const { signal } = new AbortController();
  const sleeping = bell.sleep(longMs, signal);
  bell.ring();
  await sleeping;
  bell.ring();
  await bell.sleep(longMs, signal);
  await bell.sleep(1, signal);
});

test('a bell that was slept on many times has left nothing in the signal', async () => {
  const bell = new Bell(systemClock);
  const stop = new AbortController();
  for (let time = 0; time < 100; time += 1) {
    const sleeping = bell.sleep(longMs, stop.signal);
    bell.ring();
    await sleeping;
  }
  assert.equal(listeners(stop), 0);
  const sleeping = bell.sleep(longMs, stop.signal);
  stop.abort();
  await sleeping;
});

test('of two that pause, the end of one leaves the other to be woken', async () => {
  const pause = new Pause(systemClock);
  const { signal } = new AbortController();
  const first = pause.wait(1, signal);
  const second = pause.wait(longMs, signal);
  await first;
  pause.end();
  await second;
});

test('a linked abort fires with each of the others, and lets go of them', () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const linked = new LinkedAbort(one.signal, other.signal);
  other.abort();
  assert.ok(linked.signal.aborted && !one.signal.aborted);
  linked[Symbol.dispose]();
  assert.deepEqual([listeners(one), listeners(other)], [0, 0]);
  const own = new LinkedAbort(one.signal);
  own.abort();
  assert.ok(own.signal.aborted && !one.signal.aborted);
  own[Symbol.dispose]();
  assert.equal(new LinkedAbort(other.signal).signal.aborted, true);
});
