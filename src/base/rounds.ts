/** Work that is done again and again: a round that fails is told, once until one succeeds. */
import type { Deps } from './deps.ts';
import { errorMessage, isMeshError } from './errors.ts';

export interface RoundsOptions {
  readonly intervalMs: number;
  /** What is told of a round that fails, such as `groups not synced`. */
  readonly failed: string;
}

/** Rounds until the signal fires, or one says that it was called off; never rejects. */
export async function rounds(
  round: () => Promise<void>,
  { intervalMs, failed }: RoundsOptions,
  { clock, log }: Deps,
  signal: AbortSignal,
): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    try {
      await round();
      isFailing = false;
    } catch (error) {
      if (isMeshError(error, 'aborted')) return;
      if (!isFailing) log.warn({ why: errorMessage(error) }, failed);
      isFailing = true;
    }
    await clock.sleep(intervalMs, signal).catch(() => undefined);
  }
}
