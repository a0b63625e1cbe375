/**
 * How long the process was blocked: while one piece of work runs nothing else does, no answer is
 * read and no lease is renewed. Time in which the system let other processes run is told apart: it
 * is not ours to mend.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Deps } from '../base/deps.ts';

/** It is looked so often: a block counts from the look that it held up. */
const lookMs = 20;
const windowMs = 60_000;

const blockFamily = {
  name: 'causeway_event_loop_block_seconds',
  unit: 's',
  help: 'The longest time that work blocked the process, in the last minute or two.',
  type: 'gauge',
} as const;

const waitFamily = {
  name: 'causeway_cpu_wait_seconds',
  unit: 's',
  help: 'Time in which the process could have run and no CPU was free for it.',
  type: 'counter',
} as const;

/**
 * Returns what ends it.
 * @param startMs not looked at: while modules are loaded nothing waits for anything yet
 */
export function watchEventLoop(
  { clock, metrics }: Pick<Deps, 'clock' | 'metrics'>,
  startMs = 1_000,
): () => void {
  const cpuWait = openCpuWait();
  let [longestMs, earlierMs] = [0, 0];
  let [lookedMs, waitedMs] = [0, 0];
  let windowEndMs = clock.monotonicMs() + windowMs;
  const look = (): void => {
    const [nowMs, nowWaitedMs] = [clock.monotonicMs(), cpuWait.totalMs()];
    const blockedMs = nowMs - lookedMs - lookMs - (nowWaitedMs - waitedMs);
    longestMs = Math.max(longestMs, blockedMs);
    [lookedMs, waitedMs] = [nowMs, nowWaitedMs];
    if (nowMs >= windowEndMs) {
      [earlierMs, longestMs] = [longestMs, 0];
      windowEndMs = nowMs + windowMs;
    }
    cancel = clock.after(lookMs, look);
  };
  let cancel = clock.after(startMs, () => {
    [lookedMs, waitedMs] = [clock.monotonicMs(), cpuWait.totalMs()];
    cancel = clock.after(lookMs, look);
  });
  const forgetBlock = metrics.collect(blockFamily, () => [
    { labels: {}, value: Math.max(earlierMs, longestMs) / 1000 },
  ]);
  const forgetWait = metrics.collect(waitFamily, () => [{ labels: {}, value: waitedMs / 1000 }]);
  return () => {
    cancel();
    forgetBlock();
    forgetWait();
    cpuWait.close();
  };
}

/** What the scheduler of Linux says of our main thread; elsewhere nothing. */
function openCpuWait(): { readonly totalMs: () => number; readonly close: () => void } {
  let file: number;
  try {
    file = openSync('/proc/self/schedstat', 'r');
  } catch {
    return { totalMs: () => 0, close: () => undefined };
  }
  const text = Buffer.alloc(128);
  return {
    totalMs: () => {
      // Nanoseconds on a CPU, nanoseconds in wait for one, and a count.
      const length = readSync(file, text, 0, text.length, 0);
      return Number(text.toString('latin1', 0, length).split(' ')[1] ?? 0) / 1e6;
    },
    close: () => closeSync(file),
  };
}
