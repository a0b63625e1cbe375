/**
 * The one place that decides what an answer to a produce request means.
 *
 * Only answers that say "the leader is elsewhere or not ready" may be repeated with the same
 * sequences: the broker recognises the repeat. Any other answer but success leaves it open what
 * landed: then the partition is fenced again and the tail of the target read.
 */
export type ProduceVerdict = 'acknowledged' | 'repeat' | 'fence' | 'too_large' | 'refused';

/** LEADER_NOT_AVAILABLE, NOT_LEADER, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS (both), STORAGE. */
const repeatable: ReadonlySet<number> = new Set([5, 6, 7, 19, 20, 56]);
/** The record list or batch is above what the topic takes: nothing was written. */
const tooLarge: ReadonlySet<number> = new Set([10, 18]);
/**
 * Refused as a whole, nothing written, and asking again at once would not help: authorization
 * (29, 31), corrupt (2), invalid timestamp (32), policy (44), invalid record (87).
 */
const refused: ReadonlySet<number> = new Set([2, 17, 29, 31, 32, 42, 43, 44, 76, 87]);

export function produceVerdict(errorCode: number): ProduceVerdict {
  if (errorCode === 0) return 'acknowledged';
  if (repeatable.has(errorCode)) return 'repeat';
  if (tooLarge.has(errorCode)) return 'too_large';
  if (refused.has(errorCode)) return 'refused';
  return 'fence';
}
