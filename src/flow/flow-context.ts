/** What all partitions of one flow share: handed to each part as a plain object. */
import type { Deps } from '../base/deps.ts';
import type { BufferPool } from '../base/buffer-pool.ts';
import type { Turns } from '../base/turns.ts';
import type { SlotShare } from '../kafka/slots.ts';
import type { MapBook } from '../offsets/map-book.ts';
import type { FlowSettings, Topology } from '../topology/model.ts';
import type { AclLedger } from './acl-sync.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { ClusterView } from './cluster-view.ts';
import type { CopyJournal } from './copy-journal.ts';
import type { EpochJournal } from './epoch-journal.ts';
import type { FlowControls } from './flow-controls.ts';
import type { PassJournal } from './pass-journal.ts';
import type { FlowNotice } from './status.ts';
import type { TargetLimits } from './target-limits.ts';
import type { TopicLanes } from './topic-lanes.ts';

/** Something that an operator should know of: kept in `__causeway-events`, and logged. */
export interface FlowEvent {
  readonly kind:
    | 'source_reset'
    | 'target_reset'
    | 'foreign_writer'
    | 'fence_changed'
    | 'looped_records'
    | 'partition_paused'
    | 'topic_blocked'
    | 'paused'
    | 'resumed'
    | 'limited'
    | FlowNotice['kind'];
  readonly flow: string;
  readonly topic: string;
  readonly partition: number; // -1: the topic as a whole
  readonly text: string;
  /** Offsets lost or in doubt: `[from, to)` at the site named. */
  readonly range?: { readonly site: string; readonly from: bigint; readonly to: bigint };
}

export interface FlowTimings {
  /** Between two looks at the topics and partitions of both clusters. */
  readonly upkeepMs: number;
  /** Between two looks at the settings and ACLs of topics. */
  readonly syncMs: number;
  readonly fetchWaitMs: number;
  readonly produceTimeoutMs: number;
  readonly retryDelayMsMin: number;
  readonly retryDelayMsMax: number;
}

export const defaultTimings: FlowTimings = {
  upkeepMs: 5_000,
  syncMs: 60_000,
  fetchWaitMs: 500,
  produceTimeoutMs: 30_000,
  retryDelayMsMin: 500,
  retryDelayMsMax: 30_000,
};

export interface FlowContext {
  readonly deps: Deps;
  readonly topology: Topology;
  readonly settings: FlowSettings;
  /** `west-1` */
  readonly agent: string;
  readonly source: ClusterView;
  readonly target: ClusterView;
  readonly slots: SlotShare;
  readonly maps: MapBook;
  readonly journal: CopyJournal;
  readonly epochs: EpochJournal;
  readonly controls: FlowControls;
  readonly acls: AclLedger;
  readonly passes: PassJournal;
  readonly lanes: TopicLanes;
  readonly limits: TargetLimits;
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  readonly turns: Turns;
  readonly timings: FlowTimings;
  readonly onEvent: (event: FlowEvent) => void;
}
