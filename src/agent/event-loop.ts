/**
 * How long the process was blocked: while one piece of work runs nothing else does, no answer is
 * read and no lease is renewed. Time in which the system let other processes run is told apart: it
 * is not ours to mend.
 */
import type { Deps } from '../base/deps.ts';
import { openThreadTimes, type ThreadTimes } from './thread-times.ts';

/** It is looked so often: a block counts from the look that it held up. */
const lookMs = 20;
const windowMs = 60_000;
/** Threads but the main one are looked at as often as this: it costs more than all the rest. */
const looksPerHelpers = 25;

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
  const threads = openThreadTimes();
  let [longestMs, earlierMs] = [0, 0];
  let lookedMs = 0;
  let before = threads.main();
  let helpers = threads.helpersWaitedMs();
  let looks = 0;
  let windowEndMs = clock.monotonicMs() + windowMs;
  const note = (): void => {
    [lookedMs, before] = [clock.monotonicMs(), threads.main()];
    looks += 1;
    if (looks % looksPerHelpers === 0) helpers = threads.helpersWaitedMs();
    cancel = clock.after(lookMs, look);
  };
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    const lateMs = nowMs - lookedMs - lookMs;
    if (lateMs > longestMs) {
      const waits = { before: helpers, now: threads.helpersWaitedMs() };
      longestMs = Math.max(longestMs, blockMs(lateMs, before, threads.main(), waits));
    }
    if (nowMs >= windowEndMs) {
      [earlierMs, longestMs] = [longestMs, 0];
      windowEndMs = nowMs + windowMs;
      threads.refresh();
      helpers = threads.helpersWaitedMs();
    }
    note();
  };
  let cancel = clock.after(startMs, note);
  const forgetBlock = metrics.collect(blockFamily, () => [
    { labels: {}, value: Math.max(earlierMs, longestMs) / 1000 },
  ]);
  const forgetWait = metrics.collect(waitFamily, () => [
    { labels: {}, value: before.waitedMs / 1000 },
  ]);
  return () => {
    cancel();
    forgetBlock();
    forgetWait();
    threads.close();
  };
}

/**
 * What of a delay our own work made. Not the time in which the main thread waited for a CPU; nor
 * that in which it slept while a thread of the process waited for one: the collector of garbage
 * waits for its helpers, and on a machine that is fully used these wait the longest.
 * @param helpersWaitedMs of each of the other threads; before may be of a little earlier
 */
export function blockMs(
  lateMs: number,
  before: ThreadTimes,
  now: ThreadTimes,
  helpersWaitedMs: { readonly before: readonly number[]; readonly now: readonly number[] },
): number {
  const ownMs = lateMs - (now.waitedMs - before.waitedMs);
  const sleptMs = Math.max(0, ownMs - (now.ranMs - before.ranMs));
  const helperMs = helpersWaitedMs.now.reduce(
    (most, waitedMs, at) => Math.max(most, waitedMs - (helpersWaitedMs.before[at] ?? waitedMs)),
    0,
  );
  return ownMs - Math.min(sleptMs, helperMs);
}
