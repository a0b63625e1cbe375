/** What every part of an agent is handed: the outside world, as a plain object. */
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { MetricRegistry } from './metrics.ts';

export interface Deps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: MetricRegistry;
}
