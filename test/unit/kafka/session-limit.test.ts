import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { limitSession } from '../../../src/kafka/session-limit.ts';

function world(): { clock: Clock; timers: { ms: number; call: () => void; isOff: boolean }[] } {
  const timers: { ms: number; call: () => void; isOff: boolean }[] = [];
  const after: Clock['after'] = (ms, call) => {
    const timer = { ms, call, isOff: false };
    timers.push(timer);
    return () => {
      timer.isOff = true;
    };
  };
  return { clock: { ...systemClock, after }, timers };
}

describe('a session with an end', () => {
  test('is left at four fifths of its time', () => {
    const { clock, timers } = world();
    let left = 0;
    limitSession(10_000, new EventEmitter(), () => (left += 1), clock);
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [8_000],
    );
    timers[0]?.call();
    assert.equal(left, 1);
  });

  test('its timer goes with the connection', () => {
    const { clock, timers } = world();
    const socket = new EventEmitter();
    limitSession(10_000, socket, () => undefined, clock);
    socket.emit('close');
    assert.deepEqual(
      timers.map(({ isOff }) => isOff),
      [true],
    );
  });

  test('without an end there is no timer; one of months is none that fires at once', () => {
    const { clock, timers } = world();
    for (const lifetimeMs of [0, -1, 90 * 86_400_000]) {
      limitSession(lifetimeMs, new EventEmitter(), () => undefined, clock);
    }
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [2 ** 31 - 1],
    );
  });
});
