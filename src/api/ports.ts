/**
 * What the agent offers to its API, and all that the API knows of the agent. gRPC services and HTTP
 * handlers convert and delegate; decisions are behind these methods. All reject with MeshError.
 */
import type { FlowId, SiteName } from '../base/ids.ts';
import type { FlowStatus } from '../flow/status.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupHome,
  GroupPosition,
  TranslateAnswer,
} from '../groups/answer.ts';
import type { StoredSegment } from '../offsets/run.ts';

export interface AgentIdentity {
  readonly mesh: string;
  readonly site: SiteName;
  /** `west-1` */
  readonly agent: string;
  readonly softwareVersion: string;
  readonly startedAtMs: number;
}

export interface TopologyView {
  readonly version: number;
  readonly hash: string;
  readonly source: string; // YAML as read
  /** A topology with the same version but another hash that was seen and refused, and where. */
  readonly conflict:
    | { readonly peer: string; readonly hash: string; readonly differences: readonly string[] }
    | undefined;
}

export interface PeerView {
  readonly agent: string; // `east-1`
  readonly grpc: string;
  readonly state: 'connected' | 'connecting' | 'silent' | 'refused';
  readonly lastContactMs: number | undefined;
  readonly topologyVersion: number | undefined;
  readonly why: string;
}

export interface MeshStatus {
  readonly identity: AgentIdentity;
  readonly topologyVersion: number;
  readonly topologyHash: string;
  readonly conflict: string | undefined;
  readonly flows: readonly FlowStatus[];
  readonly peers: readonly PeerView[];
  readonly groups: {
    readonly ready: number;
    readonly contested: number;
    readonly bounded: number;
    readonly unknown: number;
  };
}

export interface Readiness {
  readonly isReady: boolean;
  readonly reasons: readonly string[];
}

export interface TranslateRequest {
  readonly group: string;
  readonly from: SiteName;
  readonly to: SiteName;
  /** Explicit positions instead of the group's: name at `from`, next record to read. */
  readonly positions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly offset: bigint;
  }[];
}

export interface FailoverRequest {
  readonly group: string;
  readonly from: SiteName;
  readonly to: SiteName;
}

/** One change of what is known about groups; a position without offset is a deleted commit. */
export type GroupUpdate =
  | { readonly kind: 'position'; readonly position: GroupPosition }
  | { readonly kind: 'home'; readonly group: string; readonly home: GroupHome }
  | { readonly kind: 'synced' };

export type MapUpdate =
  { readonly kind: 'segment'; readonly segment: StoredSegment } | { readonly kind: 'synced' };

export interface AgentPorts {
  identity(): AgentIdentity;
  status(): MeshStatus;
  readiness(): Readiness;
  /** Prometheus text. */
  metricsText(): Promise<string>;

  topology(): TopologyView;
  /** The present topology first, then each one taken over. Ends on abort. */
  watchTopology(signal: AbortSignal): AsyncIterable<TopologyView>;
  /** A newer file: checked, stored, taken over. @throws topology_invalid, topology_conflict */
  proposeTopology(source: string, proposedBy: string): Promise<TopologyView>;

  translate(request: TranslateRequest): Promise<TranslateAnswer>;
  planFailover(request: FailoverRequest): Promise<FailoverPlan>;
  /** Plans again; refuses with plan_changed when planId is given and differs. */
  executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport>;

  /** Positions of this site's own groups, and homes: snapshot, synced, changes. Ends on abort. */
  watchGroups(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]>;
  /** Maps of the flows into this site: snapshot, synced, changes. Ends on abort. */
  watchMaps(signal: AbortSignal): AsyncIterable<readonly MapUpdate[]>;

  pauseFlow(flow: FlowId, requestedBy: string): Promise<void>;
  resumeFlow(flow: FlowId, requestedBy: string): Promise<void>;
}
