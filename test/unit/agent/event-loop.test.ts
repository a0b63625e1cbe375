import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { watchEventLoop } from '../../../src/agent/event-loop.ts';
import { systemClock } from '../../../src/base/clock.ts';
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
