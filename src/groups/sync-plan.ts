/** What is to be written of a group here: pure. */
import type { TranslatedPosition, TranslationReason } from './answer.ts';
import type { WrittenOffset } from './ledger.ts';

export interface Standing {
  readonly offset: bigint;
  /** Wall clock, by the broker. */
  readonly committedAtMs: number;
}

export interface WantedOffset extends WrittenOffset {
  readonly metadata: string;
  /** It stands there already, and would expire. */
  readonly isRefresh: boolean;
}

export interface PlanFacts {
  /** The home's positions; those without a commit are left out. */
  readonly translated: readonly TranslatedPosition[];
  /** By `topic/partition`. */
  readonly standing: ReadonlyMap<string, Standing>;
  readonly isOurs: (offset: WrittenOffset) => boolean;
  /** Commit metadata of the application at home, by `topic/partition` there. */
  readonly metadataOf: (key: string) => string;
  /** What was committed before that is to be committed again; wall clock. */
  readonly refreshBeforeMs: number;
}

export function wantedOffsets(facts: PlanFacts): WantedOffset[] {
  const { translated, standing, isOurs, metadataOf, refreshBeforeMs } = facts;
  return translated.flatMap(({ source, target }): WantedOffset[] => {
    const { topic, partition, offset } = target;
    if (source.offset === undefined || offset === undefined) return [];
    const metadata = metadataOf(`${source.topic}/${source.partition}`);
    const wanted = { topic, partition, offset, metadata };
    const here = standing.get(`${topic}/${partition}`);
    if (here === undefined || here.offset < 0n) return [{ ...wanted, isRefresh: false }];
    if (!isOurs({ topic, partition, offset: here.offset })) return [];
    if (here.offset !== offset) return [{ ...wanted, isRefresh: false }];
    return here.committedAtMs < refreshBeforeMs ? [{ ...wanted, isRefresh: true }] : [];
  });
}

/** Answers that change as more is copied, or read back, while the group stands still. */
const open: ReadonlySet<TranslationReason> = new Set(['not_copied_yet', 'not_covered', 'no_map']);

export function isOpen({ reason }: TranslatedPosition): boolean {
  return open.has(reason);
}

/** The same offsets stand there. */
export function isSame(
  before: ReadonlyMap<string, Standing>,
  now: ReadonlyMap<string, Standing>,
): boolean {
  return (
    before.size === now.size &&
    [...now].every(([key, { offset }]) => before.get(key)?.offset === offset)
  );
}
