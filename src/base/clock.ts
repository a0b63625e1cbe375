/**
 * Time and chance. Nothing else in the project reads the clock, sets a timer or draws a number, so
 * that a test or a simulation can hold all of them still.
 */
import { randomBytes } from 'node:crypto';
import { MeshError } from './errors.ts';

export interface Clock {
  /** Milliseconds since 1970, for what is shown or stored. May jump. */
  nowMs(): number;
  /** Milliseconds that only ever grow, for durations and deadlines. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with `aborted` as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms`; the function returned cancels. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void;
  /** In [0, 1). */
  random(): number;
  /** 128 random bits as hexadecimal. */
  uniqueId(): string;
}

export function abortedError(signal?: AbortSignal): MeshError {
  return new MeshError('aborted', 'called off', { cause: signal?.reason });
}

/** Asked anew each time: the compiler takes a property that was false once for false ever after. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortedError(signal);
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(abortedError(signal));
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortedError(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep,
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  uniqueId: () => randomBytes(16).toString('hex'),
};

/**
 * Lets everything else that is due have its turn. Long work does this now and then; so that memory
 * which native codecs gave back is freed, too: that happens between turns only.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * Waits for a promise, but not for longer than `ms`.
 * @throws MeshError built by `onTimeout` when time is up; the promise itself is left to its owner.
 */
export async function withDeadline<T>(
  clock: Clock,
  ms: number,
  promise: Promise<T>,
  onTimeout: () => MeshError,
): Promise<T> {
  let cancel: () => void = () => undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    // A deadline that someone awaits must keep the process alive: sleep, not after.
    const controller = new AbortController();
    cancel = () => controller.abort();
    clock.sleep(ms, controller.signal).then(
      () => reject(onTimeout()),
      () => undefined,
    );
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    cancel();
  }
}
