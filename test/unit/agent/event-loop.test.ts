import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { blockMs, watchEventLoop } from '../../../src/agent/event-loop.ts';
import { systemClock } from '../../../src/base/clock.ts';
import type { ThreadTimes } from '../../../src/agent/thread-times.ts';
import { MetricRegistry } from '../../../src/base/metrics.ts';

test('the longest block is told, and no more than that', async () => {
  const metrics = new MetricRegistry();
  const stop = watchEventLoop({ clock: systemClock, metrics }, 0);
  const told = (): number | undefined =>
    [...metrics.samples('causeway_event_loop_block_seconds')][0]?.value;
  await sleep(60);
  // So much of a CPU, however long that takes.
  const before = process.cpuUsage();
  const spentMs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  while (spentMs() < 150);
  await sleep(60);
  const found = told() ?? 0;
  assert.ok(found > 0.1 && found < 0.6, `${found} s`);
  stop();
  assert.equal(told(), undefined);
  assert.deepEqual([...metrics.samples('causeway_cpu_wait_seconds')], []);
});

const main = (ranMs: number, waitedMs: number): ThreadTimes => ({ ranMs, waitedMs });

test('time in which the system let others run is not a block', () => {
  const before = main(1_000, 50);
  const calm = { before: [7, 80], now: [7, 80] };
  const starved = { before: [7, 80], now: [7, 120] };
  // All of the delay was work.
  assert.equal(blockMs(60, before, main(1_065, 50), calm), 60);
  // The main thread waited for a CPU for 45 of 60 ms.
  assert.equal(blockMs(60, before, main(1_020, 95), calm), 15);
  // It slept for 50 ms: waited for a helper that had no CPU for 40 of them.
  assert.equal(blockMs(60, before, main(1_010, 50), starved), 20);
  // Who works does not wait for a helper, whatever that one waits for.
  assert.equal(blockMs(60, before, main(1_065, 50), starved), 60);
  // Asleep, and no thread waited for a CPU: for a disk.
  assert.equal(blockMs(60, before, main(1_001, 50), calm), 60);
  // A helper that has ended, and one that was not there before.
  const others = { before: [7, 80], now: [0, 80, 500] };
  assert.equal(blockMs(60, before, main(1_001, 50), others), 60);
  // Nothing is told outside of Linux.
  assert.equal(blockMs(60, main(0, 0), main(0, 0), { before: [], now: [] }), 60);
});
