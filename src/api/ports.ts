/**
 * What the agent offers to its API, and all that the API knows of the agent. gRPC services and HTTP
 * handlers convert and delegate; decisions are behind these methods. All reject with MeshError.
 */
import type { FlowId } from '../base/ids.ts';
import type {
  AgentIdentity,
  FlowLimit,
  LimitAnswer,
  MapUpdate,
  MeshStatus,
  Readiness,
  TopologyView,
} from '../client/agent-shapes.ts';
import type { EventsRequest, MeshEvent } from '../client/event-shapes.ts';
import type { FlowPlace, PauseOverride, Said } from '../flow/overrides.ts';
import type {
  FailoverRequest,
  GroupUpdate,
  SwitchoverRequest,
  SwitchoverStep,
  TranslateRequest,
} from '../groups/updates.ts';
import type { LateStretch } from '../groups/stored-late.ts';
import type { HomeView } from '../groups/watch-home.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupReadiness,
  TranslateAnswer,
} from '../groups/answer.ts';

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
  listGroups(): readonly GroupReadiness[];
  /** Of this site, the oldest first. */
  events(request: EventsRequest): readonly MeshEvent[];
  /** What groups failed over past to this site, and what has become of it. */
  listLate(): readonly LateStretch[];
  planFailover(request: FailoverRequest): Promise<FailoverPlan>;
  /** Plans again; refuses with plan_changed when planId is given and differs. */
  executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport>;

  /** Without `execute` ends after what is waited for; on abort, with nothing changed. */
  switchover(request: SwitchoverRequest, signal: AbortSignal): AsyncIterable<SwitchoverStep>;

  /** Where a group is at home, at once and whenever it changes. Ends on abort. */
  watchHome(group: string, signal: AbortSignal): AsyncIterable<HomeView>;
  /** Positions of this site's own groups, and homes: snapshot, synced, changes. Ends on abort. */
  watchGroups(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]>;
  /** Maps of the flows into this site: snapshot, synced, changes. Ends on abort. */
  watchMaps(signal: AbortSignal): AsyncIterable<readonly MapUpdate[]>;

  /** All three are stored before they resolve. @throws precondition, usage */
  pauseFlow(flow: FlowId, place: FlowPlace, said: Omit<Said, 'atMs'>): Promise<PauseOverride>;
  resumeFlow(flow: FlowId, place: FlowPlace, by: string): Promise<readonly PauseOverride[]>;
  limitFlow(flow: FlowId, limit: FlowLimit, said: Omit<Said, 'atMs'>): Promise<LimitAnswer>;
}
