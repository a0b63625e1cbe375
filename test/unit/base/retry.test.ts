import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { Backoff, retry } from '../../../src/base/retry.ts';

/** Sleeps nothing, remembers how long it should have. */
function fakeClock(): { clock: Clock; slept: number[] } {
  const slept: number[] = [];
  const clock: Clock = {
    ...systemClock,
    random: () => 1,
    sleep: (ms) => {
      slept.push(ms);
      return Promise.resolve();
    },
  };
  return { clock, slept };
}

const options = { delayMsMin: 100, delayMsMax: 500, attemptsMax: 5 };

test('delays double up to the maximum, and begin again after progress', () => {
  const { clock } = fakeClock();
  const backoff = new Backoff(options, clock);
  const delays = [1, 2, 3, 4].map(() => backoff.nextDelayMs());
  assert.deepEqual(delays, [100, 200, 400, 500]);
  backoff.reset();
  assert.equal(backoff.nextDelayMs(), 100);
});

test('transient errors are repeated until the work succeeds', async () => {
  const { clock, slept } = fakeClock();
  const result = await retry(clock, options, (attempt) => {
    if (attempt < 3) throw new MeshError('kafka_unavailable', 'away');
    return Promise.resolve(attempt);
  });
  assert.equal(result, 3);
  assert.deepEqual(slept, [100, 200]);
});

test('the last error comes out unchanged when the attempts are used up', async () => {
  const { clock, slept } = fakeClock();
  const error = new MeshError('kafka_timeout', 'slow');
  const work = retry(clock, options, () => Promise.reject(error));
  await assert.rejects(work, (found) => found === error);
  assert.equal(slept.length, options.attemptsMax - 1);
});

test("an operator's error is never repeated", async () => {
  const { clock, slept } = fakeClock();
  const work = retry(clock, options, () => Promise.reject(new MeshError('usage', 'no such flag')));
  await assert.rejects(work, /no such flag/);
  assert.equal(slept.length, 0);
});
