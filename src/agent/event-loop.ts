/**
 * How long the process was blocked: while one piece of work runs nothing else does, no answer is
 * read and no lease is renewed.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Deps } from '../base/deps.ts';

/** Node looks so often, and counts the time between two looks. */
const resolutionMs = 20;
const windowMs = 60_000;

const family = {
  name: 'causeway_event_loop_block_seconds',
  unit: 's',
  help: 'The longest time that the process was blocked, in the last minute or two.',
  type: 'gauge',
} as const;

/** Returns what ends it. */
export function watchEventLoop({ clock, metrics }: Pick<Deps, 'clock' | 'metrics'>): () => void {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  const blockedMs = (): number =>
    histogram.count === 0 ? 0 : Math.max(0, histogram.max / 1e6 - resolutionMs);
  let earlierMs = 0;
  const nextWindow = (): void => {
    earlierMs = blockedMs();
    histogram.reset();
    cancel = clock.after(windowMs, nextWindow);
  };
  let cancel = clock.after(windowMs, nextWindow);
  histogram.enable();
  const forget = metrics.collect(family, () => [
    { labels: {}, value: Math.max(earlierMs, blockedMs()) / 1000 },
  ]);
  return () => {
    cancel();
    forget();
    histogram.disable();
  };
}
