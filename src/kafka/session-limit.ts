/**
 * The end of an authenticated session. A broker closes a connection whose authentication has grown
 * too old (KIP-368); it is left before that, between two requests, and another one is opened.
 */
import type { EventEmitter } from 'node:events';
import type { Clock } from '../base/clock.ts';

const renewBefore = 0.8;
/** A timer of Node holds no more: 24.8 days. */
const timerMsMax = 2 ** 31 - 1;

/**
 * Calls `leave` once, at four fifths of the session's time, unless the socket has closed before.
 * `lifetimeMs` is what the broker said; 0 or less: the session has no end.
 */
export function limitSession(
  lifetimeMs: number,
  socket: EventEmitter,
  leave: () => void,
  clock: Clock,
): void {
  if (lifetimeMs <= 0) return;
  const cancel = clock.after(Math.min(lifetimeMs * renewBefore, timerMsMax), leave);
  socket.once('close', cancel);
}
