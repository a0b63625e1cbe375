/**
 * What an agent says of itself and asks of others, as plain data: the same shapes on both ends of
 * the wire. api/ serves them, agent-client.ts reads them, and messages are only a form in
 * between.
 */
import type { SiteName } from '../base/ids.ts';
import type { Override } from '../flow/overrides.ts';
import type { FlowStatus } from '../flow/status.ts';
import type { PositionsSource } from '../groups/positions-source.ts';
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
  /** Positions that this agent reads by itself: of its own site, and of sites without agents. */
  readonly positions: readonly PositionsSource[];
  /** Pauses and limits that people set at this site, apart from the topology file. */
  readonly overrides: readonly Override[];
}

/** A limit of the flow as a whole: undefined is none, `file` is what the topology says. */
export type FlowLimit = { readonly bytesPerSecond: number | undefined } | 'file';

export interface LimitAnswer {
  readonly override: Override | undefined;
  /** In force now. */
  readonly bytesPerSecond: number | undefined;
}

export interface Readiness {
  readonly isReady: boolean;
  readonly reasons: readonly string[];
}

export type MapUpdate =
  { readonly kind: 'segment'; readonly segment: StoredSegment } | { readonly kind: 'synced' };
