/** Runs that were read back, as far as they say something new. */
import type { Run } from '../offsets/run.ts';

/**
 * What the runs say of source offsets [from, to), each behind the one before: nothing is told
 * twice. Runs are cut where only a part of them is wanted or new.
 */
export function runsBetween(runs: readonly Run[], from: number, to: number): Run[] {
  const kept: Run[] = [];
  let next = from;
  for (const run of runs) {
    const known = Math.max(0, next - run.sourceOffset);
    const [sourceOffset, targetOffset] = [run.sourceOffset + known, run.targetOffset + known];
    const length = Math.min(run.length - known, to - sourceOffset);
    if (length <= 0) continue;
    kept.push({ sourceOffset, targetOffset, length });
    next = sourceOffset + length;
  }
  return kept;
}
