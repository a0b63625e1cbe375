/** The outside world for tests: real time, no logs. */
import { systemClock } from '../../src/base/clock.ts';
import type { Deps } from '../../src/base/deps.ts';
import { silentLog } from '../../src/base/log.ts';
import { MetricRegistry } from '../../src/base/metrics.ts';

export function testDeps(): Deps {
  return { clock: systemClock, log: silentLog, metrics: new MetricRegistry() };
}
