/**
 * What a flow says of itself: the answer to the alarm at night. Plain data; api/ turns it into
 * messages and client/ into the JSON of `causeway status` and `causeway lag`.
 */
import type { FlowId } from '../base/ids.ts';

/** Where the carrying of one partition stands. */
export type PartitionState =
  | 'waiting' // not yet taken up: topic being made, leader not known
  | 'fencing'
  | 'recovering' // reading the tail of the target
  | 'copying'
  | 'paused' // by its own trouble; `why` says which, retried with backoff
  | 'stopped';

export type FlowState = 'starting' | 'current' | 'lagging' | 'blocked' | 'unreachable' | 'failed';

/** Who holds the flow back, so that the alarm names its cause. */
export type HeldBy = 'source' | 'wan' | 'target' | 'limit' | 'paused' | 'unreachable' | 'blocked';

/** A partition that a flow carries, and the slot that its work belongs to. */
export interface CopyTarget {
  readonly topic: string; // the name at the source
  readonly remoteTopic: string; // the name at the target
  readonly partition: number;
  readonly slot: number;
}

export interface PartitionStatus {
  readonly topic: string; // the name at the source
  readonly remoteTopic: string; // the name at the target
  readonly partition: number;
  readonly state: PartitionState;
  /** Next source offset to copy: all before it is acknowledged at the target. */
  readonly position: bigint | undefined;
  /** End of what can be copied (last stable offset), as last seen at the source. */
  readonly sourceEnd: bigint | undefined;
  readonly lagRecords: bigint | undefined;
  /** Age of the oldest record not yet copied; 0 when there is none; undefined when not known. */
  readonly lagSeconds: number | undefined;
  readonly sourceEndAsOfMs: number | undefined;
  readonly why: string;
  readonly heldByAgent: string;
}

/** Something about a remote topic that holds nothing back, and that an operator should know. */
export interface FlowNotice {
  readonly kind:
    'configs_refused' | 'retention_shorter' | 'more_partitions' | 'acls_refused' | 'writer_allowed';
  readonly topic: string; // at the target, or a pattern such as `east.*`
  readonly text: string;
}

export interface FlowStatus {
  readonly flow: FlowId;
  readonly agent: string; // `west-1`: who reports; its partitions only
  readonly state: FlowState;
  readonly lagRecords: bigint;
  readonly lagSeconds: number | undefined;
  /** Change of lagRecords a second, over the last measuring interval. */
  readonly trendRecordsPerSecond: number;
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Of the flow as a whole, over all agents of the site; undefined: none. */
  readonly limitBytesPerSecond: number | undefined;
  readonly heldBy: HeldBy | undefined;
  readonly why: string;
  readonly slotsHeld: number;
  readonly slotsTotal: number;
  readonly partitions: readonly PartitionStatus[];
  readonly notices: readonly FlowNotice[];
}
