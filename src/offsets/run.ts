/** The words of the offset map. Offsets are numbers here, asserted to be below 2^53. */
import type { Certainty } from './certainty.ts';

/** Within a run source and target offsets both step by one. */
export interface Run {
  readonly sourceOffset: number;
  readonly targetOffset: number;
  readonly length: number;
}

/** Whose map it is: one partition of one source topic, in one flow, in one life of the topic. */
export interface MapId {
  readonly flow: string; // FlowId
  /** Name at the source site. */
  readonly topic: string;
  readonly partition: number;
  /** 1, and one more each time that the source topic began anew. */
  readonly generation: number;
}

/** Why a translation says what it says: see docs/failover.md. */
export type MapReason =
  | 'in_run'
  | 'in_gap'
  | 'at_end'
  | 'not_copied_yet'
  | 'before_map'
  | 'not_covered'
  | 'coarsened'
  | 'generation_changed'
  | 'no_map';

export interface MapTranslation {
  /** undefined if and only if certainty is `unknown`. */
  readonly offset: bigint | undefined;
  readonly certainty: Certainty;
  readonly reason: MapReason;
}

/** How far the copy and the source were, when last seen: travels beside the segments. */
export interface MapFrontier {
  /** Every source offset below it was copied, or is known not to be copied (gap). */
  readonly scannedEnd: number;
  /** End of what can be copied (last stable offset) at the source, as last seen; -1 not known. */
  readonly sourceEnd: number;
  /** When sourceEnd was seen, wall clock in ms; -1 never. */
  readonly sourceEndAsOfMs: number;
  /** Age in seconds of the oldest record not copied at that time; 0 none; -1 not known. */
  readonly lagSeconds: number;
  /** Records per second written at the source, smoothed; -1 not known. */
  readonly sourceRate: number;
}

/** The first record of a life of the topic that was read at the source. */
export interface FirstRead {
  /** Leader epoch that it was written in. */
  readonly epoch: number;
  readonly source: number;
}

/** First offsets that the logs still hold; -1: not known. */
export interface LogStarts {
  readonly source: number;
  readonly target: number;
}

/** One piece of a map as it is stored and streamed: key and value of `__causeway-offset-maps`. */
export interface StoredSegment {
  readonly key: Buffer;
  /** null: the segment was pruned. */
  readonly value: Buffer | null;
}
