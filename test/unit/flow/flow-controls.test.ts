import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Clock } from '../../../src/base/clock.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { FlowControls } from '../../../src/flow/flow-controls.ts';
import type { Override } from '../../../src/flow/overrides.ts';
import { RateLimit } from '../../../src/flow/rate-limit.ts';

/** Time passes only in sleeps, and by `pass`. */
function fakeClock(): { clock: Clock; pass: (ms: number) => void; now: () => number } {
  let nowMs = 1_000;
  const clock: Clock = {
    ...systemClock,
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  return { clock, pass: (ms) => (nowMs += ms), now: () => nowMs };
}

const never = new AbortController().signal;

describe('a limit of bytes a second', () => {
  test('holds on the average, whatever single fetches bring and take', async () => {
    for (const fetchMs of [0, 40, 200]) {
      const { clock, pass, now } = fakeClock();
      const rate = new RateLimit(clock);
      rate.set(1_000_000);
      const startedMs = now();
      let bytes = 0;
      for (const size of [10, 250_000, 900_000, 100_000, 3_000_000].flatMap((one) =>
        Array.from({ length: 20 }, () => one),
      )) {
        await rate.ready(never);
        pass(fetchMs);
        rate.take(size);
        bytes += size;
      }
      await rate.ready(never);
      const perSecond = bytes / ((now() - startedMs) / 1000);
      assert.ok(perSecond < 1_010_000, `${perSecond} with ${fetchMs} ms`);
      // Small fetches over a slow line do not reach it; all others do.
      if (fetchMs === 0) assert.ok(perSecond > 990_000, String(perSecond));
    }
  });

  test('asks for a quarter of a second at once, and for all when there is none', () => {
    const rate = new RateLimit(fakeClock().clock);
    // With no slots for a moment too.
    for (const share of [1, 0, 1]) {
      rate.setShare(share);
      assert.equal(rate.fetchBytes, Infinity);
    }
    rate.set(1_000_000);
    assert.equal(rate.fetchBytes, 250_000);
    rate.setShare(0.5);
    assert.equal(rate.fetchBytes, 125_000);
    rate.set(1);
    assert.equal(rate.fetchBytes, 1);
  });

  test('a change is felt by whoever waits: raised, taken away', async () => {
    const rate = new RateLimit(systemClock);
    rate.set(1);
    rate.take(1_000_000);
    const waiting = rate.ready(never);
    assert.equal(rate.isHolding, true);
    rate.set(1e12);
    await waiting;
    rate.set(1);
    rate.take(1_000_000);
    const again = rate.ready(never);
    rate.set(undefined);
    await again;
    assert.equal(rate.isHolding, false);
  });

  test('whoever waits is let go by an abort', async () => {
    const rate = new RateLimit(systemClock);
    rate.set(1);
    rate.take(1_000_000);
    const stop = new AbortController();
    const waiting = rate.ready(stop.signal);
    stop.abort();
    await waiting;
  });
});

test('pauses: the widest counts; a limit that somebody set counts before that of the file', () => {
  const { clock } = fakeClock();
  const controls = new FlowControls('east->west', 5_000_000, clock);
  const said = { by: 'ana', why: '', atMs: 0, untilMs: undefined };
  const pause = (topic?: string, partition?: number): Override => {
    return { kind: 'pause', flow: 'east->west', topic, partition, ...said };
  };
  let changes = 0;
  controls.onChange(() => (changes += 1));
  controls.setOverrides([pause('orders', 3), pause('orders'), pause('pay', 0)]);
  assert.equal(controls.pause, undefined);
  assert.equal(controls.pauseOf('orders', 3)?.partition, undefined);
  assert.equal(controls.pauseOf('orders', 1)?.topic, 'orders');
  assert.equal(controls.pauseOf('pay', 0)?.partition, 0);
  assert.equal(controls.pauseOf('pay', 1), undefined);
  assert.equal(controls.limitText, 'limit of 5.0 MB/s, of the topology file');
  const limit = { kind: 'limit', flow: 'east->west', bytesPerSecond: 1_000_000, ...said } as const;
  controls.setOverrides([pause(), limit]);
  assert.notEqual(controls.pause, undefined);
  assert.equal(controls.rate.bytesPerSecond, 1_000_000);
  assert.equal(controls.limitText, 'limit of 1.0 MB/s, by ana');
  controls.setFileLimit(7);
  assert.equal(controls.rate.bytesPerSecond, 1_000_000);
  controls.setOverrides([]);
  assert.equal(controls.rate.bytesPerSecond, 7);
  assert.equal(changes, 3);
});
