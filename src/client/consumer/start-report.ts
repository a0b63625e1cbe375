/**
 * Where a group goes on at a site, partition by partition, how surely and why: put together from
 * what stands in the group there and what agents translate. Pure; never ahead of what was read.
 */
import type {
  TranslateAnswer,
  TranslatedPosition,
  TranslationReason,
} from '../../groups/answer.ts';
import { weakest, type Certainty } from '../../offsets/certainty.ts';
import type { StartBasis } from './events.ts';

export interface StartPosition {
  readonly topic: string;
  readonly partition: number;
  /** The next record to be handled; undefined: the first that the log holds. */
  readonly offset: bigint | undefined;
  /**
   * `committed`: stands in the group at this site. `translated`: did not, and was put there now.
   * `synced`: stands there, and no agent was there to be asked. `earliest`: nothing is known.
   */
  readonly how: 'committed' | 'translated' | 'synced' | 'earliest';
  readonly certainty: Certainty;
  /** As an agent gives it; undefined: none was asked. */
  readonly reason: TranslationReason | undefined;
  /** Records handled at another site that will be handled again: at most. undefined: not known. */
  readonly reread: bigint | undefined;
  /** Records written at the other site that are not here: at least. undefined: not known. */
  readonly notHereAtLeast: bigint | undefined;
  /** Offsets not read there that are not held here, nor will be: at most. undefined: not known. */
  readonly skipped: bigint | undefined;
}

export interface StartReport {
  readonly group: string;
  readonly site: string;
  /** Where it ran before, in this process. */
  readonly from: string | undefined;
  readonly basis: StartBasis;
  /** A sentence for people. */
  readonly why: string;
  /** The weakest of all positions. */
  readonly verdict: Certainty;
  /** Over all partitions; undefined when it is not known of some. */
  readonly rereadAtMost: bigint | undefined;
  readonly positions: readonly StartPosition[];
}

export interface PartitionAt {
  readonly topic: string;
  readonly partition: number;
  /** Committed by the group at this site; undefined: nothing. */
  readonly committed: bigint | undefined;
}

const keyOf = ({ topic, partition }: { topic: string; partition: number }): string =>
  `${topic}/${partition}`;

/** Of several translations of one partition the earliest: none is ahead. */
function earliestByTarget(
  answers: readonly TranslateAnswer[],
): ReadonlyMap<string, TranslatedPosition> {
  const found = new Map<string, TranslatedPosition>();
  for (const position of answers.flatMap(({ positions }) => positions)) {
    const key = keyOf(position.target);
    const { offset } = position.target;
    const known = found.get(key)?.target.offset;
    if (offset === undefined) found.set(key, found.get(key) ?? position);
    else if (known === undefined || offset < known) found.set(key, position);
  }
  return found;
}

export function startPositions(
  partitions: readonly PartitionAt[],
  answers: readonly TranslateAnswer[],
  basis: StartBasis,
): readonly StartPosition[] {
  const translated = earliestByTarget(answers);
  return partitions.map(({ topic, partition, committed }): StartPosition => {
    const known = translated.get(keyOf({ topic, partition }));
    const here = { topic, partition };
    if (committed !== undefined && basis === 'synced') {
      return { ...here, ...unasked, offset: committed, how: 'synced', certainty: 'lower_bound' };
    }
    if (committed !== undefined) {
      // What agents committed for it when it was moved here, or what it has committed here since.
      const told = known?.target.offset === committed ? known : sameLog;
      return { ...here, ...toldOf(told), offset: committed, how: 'committed' };
    }
    const offset = known?.target.offset;
    if (known !== undefined && offset !== undefined) {
      return { ...here, ...toldOf(known), offset, how: 'translated' };
    }
    return {
      ...here,
      ...unasked,
      offset: undefined,
      how: 'earliest',
      certainty: known === undefined ? 'exact' : 'unknown',
      reason: known?.reason,
      reread: known === undefined ? 0n : undefined,
      skipped: known === undefined ? 0n : undefined,
    };
  });
}

type Told = Pick<StartPosition, 'certainty' | 'reason' | 'reread' | 'notHereAtLeast' | 'skipped'>;

const unasked = {
  reason: undefined,
  reread: undefined,
  notHereAtLeast: undefined,
  skipped: undefined,
};
const sameLog = {
  certainty: 'exact',
  reason: 'same_log',
  reread: 0n,
  notHereAtLeast: 0n,
  skipped: 0n,
} as const;

function toldOf({ certainty, reason, reread, notHereAtLeast, skipped }: Told): Told {
  return { certainty, reason, reread, notHereAtLeast, skipped };
}

export function startReport(
  facts: Pick<StartReport, 'group' | 'site' | 'from' | 'basis' | 'why'>,
  positions: readonly StartPosition[],
): StartReport {
  let rereadAtMost: bigint | undefined = 0n;
  for (const { reread } of positions) {
    rereadAtMost =
      reread === undefined || rereadAtMost === undefined ? undefined : rereadAtMost + reread;
  }
  const verdict = weakest(positions.map(({ certainty }) => certainty));
  return { ...facts, verdict, rereadAtMost, positions };
}
