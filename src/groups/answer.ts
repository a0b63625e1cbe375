/**
 * Positions of consumer groups and what they become at another site: the domain shapes that groups/
 * computes, api/ serves and client/ turns into the JSON contract.
 */
import type { SiteName } from '../base/ids.ts';
import type { Certainty } from '../offsets/certainty.ts';

export type GroupMode = 'single' | 'local' | 'everywhere' | 'off' | 'contested';

/** The last known committed offset of a group in one partition, as read at `site`. */
export interface GroupPosition {
  readonly site: SiteName;
  readonly group: string;
  readonly topic: string; // as named at `site`
  readonly partition: number;
  /** Next record to read; undefined: the commit was deleted or has expired. */
  readonly offset: bigint | undefined;
  /** Leader epoch of the commit at `site`; -1 when it carried none. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** When the position was read from the group's coordinator, wall clock. */
  readonly asOfMs: number;
}

/** A group as it runs at one site; there may be others of that name elsewhere. */
export interface GroupAt {
  readonly group: string;
  readonly site: SiteName;
}

/** How a group came to its home. */
export type HomeState =
  | 'declared' // the topology says so, and it has not moved since
  | 'found' // no mode is declared, and it has committed there only
  | 'moved' // by a failover or switchover, or by itself
  | 'provisional' // the home before cannot be reached, and the group has members here
  | 'contested'; // it has commits of its own at the rival site as well

export interface GroupHome {
  readonly site: SiteName;
  /** Raised each time that the home moves; the highest counts. */
  readonly epoch: number;
  readonly state: HomeState;
  /** Of `provisional` and `contested`. */
  readonly rival?: HomeRival | undefined;
  /** The id goes on for that group while its site is lost; at home at that site: it did. */
  readonly standsFor?: GroupAt | undefined;
}

export interface HomeRival {
  readonly site: SiteName;
  /** What the group had committed there, as far as was known, when that site went silent. */
  readonly left: readonly LogPlace[];
  /** What had been read at both sites when it was seen that both are used. */
  readonly overlap: readonly Overlap[];
  /** Whether the mode was declared then. */
  readonly isDeclared: boolean;
}

export interface LogPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** Records that a group has read at two sites, as offsets at the site where they were born. */
export interface Overlap {
  readonly site: SiteName;
  readonly topic: string;
  readonly partition: number;
  /** undefined: not known since where. */
  readonly from: bigint | undefined;
  readonly to: bigint;
}

export interface Contest {
  readonly sites: readonly SiteName[];
  readonly overlap: readonly Overlap[];
}

/** What may be done with a group, and how that is known. */
export interface ModeFacts {
  readonly mode: GroupMode;
  readonly isDeclared: boolean;
  readonly home: GroupHome | undefined;
  /** Where it is read at two sites; undefined: it is not contested. */
  readonly contest: Contest | undefined;
}

/** Closed list; docs explain each. The first ones are exact. */
export type TranslationReason =
  | 'in_run' // the record itself, at its place in the copy
  | 'in_gap' // nothing copied lies between; the next copied record
  | 'at_end' // all that was scanned has been read; the next record to arrive
  | 'same_log' // source and target are the same log
  | 'not_copied_yet' // the group is ahead of the copy: the end of the copy
  | 'before_map' // older than what was copied, or is still held: the earliest copy there is
  | 'not_covered' // the map has a hole there (being rebuilt): the last place known before it
  | 'coarsened' // memory bound reached there: an earlier record
  | 'no_commit' // the group never committed there: the earliest copy
  | 'no_map' // nothing is known of the copy
  | 'not_replicated' // no flow carries the topic to that site
  | 'generation_changed'; // the commit belongs to an earlier life of the topic

export interface TranslatedPosition {
  readonly source: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint | undefined;
  };
  readonly target: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint | undefined; // undefined if and only if `unknown`
  };
  readonly certainty: Certainty;
  readonly reason: TranslationReason;
  /** Records at the source that are not at the target: at least so many. */
  readonly notHereAtLeast: bigint | undefined;
  /** Records that the group has read at the source and will read again: at most so many. */
  readonly reread: bigint | undefined;
  /**
   * Offsets that the group has not read and that the target does not hold, nor ever will, though
   * their own log did when last seen: at most so many.
   */
  readonly skipped: bigint | undefined;
  readonly generation: number;
}

export interface TranslateAnswer extends ModeFacts {
  readonly mesh: string;
  readonly group: string;
  readonly from: SiteName;
  readonly to: SiteName;
  /** The weakest certainty of all positions. */
  readonly verdict: Certainty;
  readonly safeToStart: boolean;
  /** Why not, a sentence each; empty when safe. */
  readonly blockers: readonly string[];
  readonly sourceReachable: boolean;
  readonly positionsAsOfMs: number | undefined;
  readonly sourceEndAsOfMs: number | undefined;
  readonly positions: readonly TranslatedPosition[];
}

/** What would become of a group at this site, if it had to go on here now. */
export type ReadinessState = 'home' | 'ready' | 'bounded' | 'unknown' | 'own' | 'contested';

export interface GroupReadiness extends ModeFacts {
  readonly group: string;
  /** Where it would go on. */
  readonly site: SiteName;
  /** Where it has positions. */
  readonly sites: readonly SiteName[];
  /** Whose positions the rest is about; undefined when there is nothing to translate. */
  readonly from: SiteName | undefined;
  readonly state: ReadinessState;
  /** Empty, or why it is not ready. */
  readonly why: string;
  readonly partitions: number;
  readonly exactPartitions: number;
  /** Over the partitions where it is known. */
  readonly notHereAtLeast: bigint;
  readonly reread: bigint;
  readonly positionsAsOfMs: number | undefined;
}

export interface FailoverPlan {
  /** Digest of everything the plan would do: executing with another one is refused. */
  readonly planId: string;
  readonly answer: TranslateAnswer;
  /** The id that it is to go on under; undefined: its own. */
  readonly as: string | undefined;
  /** `agent silent since …`, `Kafka refused from west-1`: what makes us think the home is dead. */
  readonly evidence: readonly string[];
  /** Loss over all partitions, at least: records and seconds; the rate at which it grew. */
  readonly lossRecordsAtLeast: bigint;
  /** Partitions of which it is not known whether records are missing: their end was never seen. */
  readonly lossUnknownPartitions: number;
  readonly lossSeconds: number | undefined;
  readonly growthRecordsPerSecond: number | undefined;
  /** Empty when it may be executed. */
  readonly refusals: readonly string[];
}

export interface FailoverReport {
  readonly plan: FailoverPlan;
  readonly committed: readonly TranslatedPosition[];
  readonly home: GroupHome;
  readonly executedAtMs: number;
}
