/** What an agent tells of its flows and peers when it is scraped; counted nowhere, read then. */
import { errorTable } from '../base/errors.ts';
import type { MetricFamily, MetricRegistry, MetricSample } from '../base/metrics.ts';
import type { PeerView } from '../client/agent-shapes.ts';
import type { FlowStatus } from '../flow/status.ts';
import type { ModeCount } from '../groups/mode.ts';
import type { PositionsSource } from '../groups/positions-source.ts';
import type { HeartbeatReading } from '../mm2/heartbeats.ts';

export interface AgentFacts {
  readonly flows: readonly FlowStatus[];
  readonly peers: readonly PeerView[];
  readonly topologyVersion: number;
  readonly hasConflict: boolean;
  readonly bytesInFlight: number;
  readonly positions: readonly PositionsSource[];
  readonly modes: readonly ModeCount[];
  readonly heartbeats: readonly HeartbeatReading[];
}

type Reading = (facts: AgentFacts) => MetricSample[];

const perFlow =
  (value: (flow: FlowStatus) => number | undefined): Reading =>
  ({ flows }) =>
    flows.flatMap((flow) => {
      const found = value(flow);
      return found === undefined ? [] : [{ labels: { flow: flow.flow }, value: found }];
    });

const perSite =
  (value: (source: PositionsSource) => number | undefined): Reading =>
  ({ positions }) =>
    positions.flatMap((source) => {
      const found = value(source);
      return found === undefined ? [] : [{ labels: { site: source.site }, value: found }];
    });

const one = (value: number): MetricSample[] => [{ labels: {}, value }];

function countBy(label: string, flow: string, values: readonly string[]): MetricSample[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, times]) => ({ labels: { flow, [label]: value }, value: times }));
}

const partitionStates: Reading = ({ flows }) =>
  flows.flatMap(({ flow, partitions }) =>
    countBy(
      'state',
      flow,
      partitions.map(({ state }) => state),
    ),
  );

/** The reason of a partition that its own trouble pauses begins with the code of it. */
const pausedReasons: Reading = ({ flows }) =>
  flows.flatMap(({ flow, partitions }) =>
    countBy(
      'reason',
      flow,
      partitions.filter(({ state }) => state === 'paused').map(({ why }) => reasonOf(why)),
    ),
  );

function reasonOf(why: string): string {
  if (why.startsWith('paused by ')) return 'operator';
  const code = why.split(':', 1)[0] ?? '';
  return code in errorTable ? code : 'other';
}

const noticeKinds: Reading = ({ flows }) =>
  flows.flatMap(({ flow, notices }) =>
    countBy(
      'kind',
      flow,
      notices.map(({ kind }) => kind),
    ),
  );

const gauges: readonly (readonly [name: string, unit: string, help: string, read: Reading])[] = [
  [
    'causeway_flow_lag_records',
    '',
    'Offsets at the source that are not copied yet, over the partitions this agent carries.',
    perFlow(({ lagRecords }) => Number(lagRecords)),
  ],
  [
    'causeway_flow_lag_seconds',
    's',
    'Age of the oldest record not copied yet; 0 when there is none; absent when not known.',
    perFlow(({ lagSeconds }) => lagSeconds),
  ],
  [
    'causeway_flow_state',
    '',
    '1 for the state that the flow is in: starting, current, lagging, blocked, unreachable, failed.',
    ({ flows }) => flows.map(({ flow, state }) => ({ labels: { flow, state }, value: 1 })),
  ],
  [
    'causeway_flow_partitions',
    '',
    'Partitions that this agent carries, by their state.',
    partitionStates,
  ],
  [
    'causeway_flow_partitions_paused',
    '',
    'Paused partitions by the code of their trouble, as in docs/errors.md, or `operator`.',
    pausedReasons,
  ],
  [
    'causeway_flow_notices',
    '',
    'What an operator should know of remote topics, by kind; status has the texts.',
    noticeKinds,
  ],
  [
    'causeway_flow_slots_held',
    '',
    'Slots of the flow that this agent holds, of 64.',
    perFlow(({ slotsHeld }) => slotsHeld),
  ],
  [
    'causeway_peer_connected',
    '',
    '1 while the agent named is connected, else 0.',
    ({ peers }) =>
      peers.map(({ agent, state }) => ({
        labels: { peer: agent },
        value: state === 'connected' ? 1 : 0,
      })),
  ],
  [
    'causeway_topology_version',
    '',
    'Version of the topology in force.',
    ({ topologyVersion }) => one(topologyVersion),
  ],
  [
    'causeway_topology_conflict',
    '',
    '1 while a topology of the same version and other content is about.',
    ({ hasConflict }) => one(hasConflict ? 1 : 0),
  ],
  [
    'causeway_positions_from_log',
    '',
    '1 while positions of groups come from the log of their commits, 0 while groups are asked.',
    perSite(({ mode }) => (mode === 'log' ? 1 : 0)),
  ],
  [
    'causeway_positions_as_of_seconds',
    's',
    'Up to when all positions of groups of the site are known, in seconds since 1970.',
    perSite(({ asOfMs }) => asOfMs && asOfMs / 1000),
  ],
  [
    'causeway_positions_groups',
    '',
    'Groups of the site whose positions are known.',
    perSite(({ groups }) => groups),
  ],
  [
    'causeway_positions_unreadable_commits',
    '',
    'Commits in the log that this version cannot read: their groups are asked instead.',
    perSite(({ unreadableCommits }) => unreadableCommits),
  ],
  [
    'causeway_groups',
    '',
    'Groups that are known, by mode and by how they came to their home.',
    ({ modes }) => modes.map(({ groups, ...labels }) => ({ labels, value: groups })),
  ],
  [
    'causeway_bytes_in_flight',
    'By',
    'Bytes of batches fetched and not yet acknowledged by the target.',
    ({ bytesInFlight }) => one(bytesInFlight),
  ],
  [
    'causeway_heartbeat_latency_seconds',
    's',
    'From the writing of the last heartbeat at the other site until it could be read here.',
    ({ heartbeats }) =>
      heartbeats.map(({ from, latencySeconds }) => ({ labels: { from }, value: latencySeconds })),
  ],
  [
    'causeway_heartbeat_age_seconds',
    's',
    'Since the last heartbeat that has come from the other site was written there.',
    ({ heartbeats }) =>
      heartbeats.map(({ from, ageSeconds }) => ({ labels: { from }, value: ageSeconds })),
  ],
];

/** @param facts undefined while the agent starts. Returns what takes the gauges away again. */
export function collectAgentMetrics(
  metrics: MetricRegistry,
  facts: () => AgentFacts | undefined,
): () => void {
  const look = oncePerTurn(facts);
  const stops = gauges.map(([name, unit, help, read]) => {
    const family: MetricFamily = { name, unit, help, type: 'gauge' };
    return metrics.collect(family, () => {
      const found = look();
      return found === undefined ? [] : read(found);
    });
  });
  return () => {
    for (const stop of stops) stop();
  };
}

/** All gauges of a scrape are read in one turn: over thousands of partitions it is looked once. */
function oncePerTurn<T>(look: () => T): () => T {
  let kept: { readonly found: T } | undefined;
  return () => {
    if (kept === undefined) {
      kept = { found: look() };
      queueMicrotask(() => (kept = undefined));
    }
    return kept.found;
  };
}
