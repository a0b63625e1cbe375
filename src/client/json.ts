/** Domain values as the JSON of `answers.ts`. What is not known is left out. */
import type { Override } from '../flow/overrides.ts';
import type { FlowStatus } from '../flow/status.ts';
import type {
  Contest,
  FailoverPlan,
  FailoverReport,
  GroupAt,
  GroupHome,
  GroupReadiness,
  ModeFacts,
  TranslateAnswer,
  TranslatedPosition,
} from '../groups/answer.ts';
import type { MeshStatus } from './agent-shapes.ts';
import type {
  AgentStatusJson,
  ContestJson,
  FlowJson,
  HomeJson,
  LagJson,
  OverrideJson,
  PlanJson,
  ReadinessJson,
  ReportJson,
  SwitchoverPlanJson,
  StatusJson,
  TranslateJson,
} from './answers.ts';

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The entry, unless its value is not known. */
export function known<K extends string, V, R>(
  key: K,
  value: V | undefined,
  show: (value: V) => R,
): { [P in K]?: R } {
  // One key with one value, or none at all.
  return (value === undefined ? {} : { [key]: show(value) }) as { [P in K]?: R };
}

export const text = (value: bigint): string => value.toString();
export const same = <T>(value: T): T => value;

function placeJson({
  topic,
  partition,
  offset,
}: TranslatedPosition['source']): TranslateJson['positions'][number]['source'] {
  return { topic, partition, ...known('offset', offset, text) };
}

function positionJson(position: TranslatedPosition): TranslateJson['positions'][number] {
  return {
    source: placeJson(position.source),
    target: placeJson(position.target),
    certainty: position.certainty,
    reason: position.reason,
    ...known('notHereAtLeast', position.notHereAtLeast, text),
    ...known('reread', position.reread, text),
    ...known('skipped', position.skipped, text),
    generation: position.generation,
  };
}

function homeJson({ site, epoch, state, standsFor }: GroupHome): HomeJson {
  const whose = ({ group, site: at }: GroupAt): GroupAt => ({ group, site: at });
  return { site, epoch, state, ...known('standsFor', standsFor, whose) };
}

function contestJson({ sites, overlap }: Contest): ContestJson {
  return {
    sites: [...sites],
    overlap: overlap.map(({ site, topic, partition, from, to }) => {
      return { site, topic, partition, ...known('from', from, text), to: text(to) };
    }),
  };
}

function modeJson(facts: ModeFacts): Pick<TranslateJson, 'mode' | 'modeBy' | 'home' | 'contest'> {
  return {
    mode: facts.mode,
    modeBy: facts.isDeclared ? 'declared' : 'found',
    ...known('home', facts.home, homeJson),
    ...known('contest', facts.contest, contestJson),
  };
}

export function translateJson(answer: TranslateAnswer): TranslateJson {
  return {
    schema: 1,
    mesh: answer.mesh,
    group: answer.group,
    from: answer.from,
    to: answer.to,
    ...modeJson(answer),
    verdict: answer.verdict,
    safeToStart: answer.safeToStart,
    blockers: [...answer.blockers],
    sourceReachable: answer.sourceReachable,
    ...known('positionsAsOf', answer.positionsAsOfMs, iso),
    ...known('sourceEndAsOf', answer.sourceEndAsOfMs, iso),
    positions: answer.positions.map(positionJson),
  };
}

export function planJson(plan: FailoverPlan): PlanJson {
  return {
    schema: 1,
    planId: plan.planId,
    ...known('as', plan.as, same<string>),
    translation: translateJson(plan.answer),
    evidence: [...plan.evidence],
    lossRecordsAtLeast: text(plan.lossRecordsAtLeast),
    lossUnknownPartitions: plan.lossUnknownPartitions,
    ...known('lossSeconds', plan.lossSeconds, same<number>),
    ...known('growthRecordsPerSecond', plan.growthRecordsPerSecond, same<number>),
    refusals: [...plan.refusals],
  };
}

export function switchoverPlanJson(
  plan: FailoverPlan,
  waitingFor: readonly string[],
): SwitchoverPlanJson {
  return { ...planJson(plan), waitingFor: [...waitingFor] };
}

export function reportJson(report: FailoverReport): ReportJson {
  return {
    schema: 1,
    plan: planJson(report.plan),
    committed: report.committed.map(positionJson),
    home: homeJson(report.home),
    executedAt: iso(report.executedAtMs),
  };
}

export function readinessJson(group: GroupReadiness): ReadinessJson {
  return {
    site: group.site,
    group: group.group,
    ...modeJson(group),
    sites: group.sites.map(String),
    ...known('from', group.from, String),
    state: group.state,
    why: group.why,
    partitions: group.partitions,
    exactPartitions: group.exactPartitions,
    notHereAtLeast: text(group.notHereAtLeast),
    reread: text(group.reread),
    ...known('positionsAsOf', group.positionsAsOfMs, iso),
  };
}

export function flowJson(flow: FlowStatus): FlowJson {
  return {
    flow: flow.flow,
    agent: flow.agent,
    state: flow.state,
    lagRecords: text(flow.lagRecords),
    ...known('lagSeconds', flow.lagSeconds, same<number>),
    trendRecordsPerSecond: flow.trendRecordsPerSecond,
    recordsPerSecond: flow.recordsPerSecond,
    bytesPerSecond: flow.bytesPerSecond,
    ...known('limitBytesPerSecond', flow.limitBytesPerSecond, same<number>),
    ...known('heldBy', flow.heldBy, same<string>),
    why: flow.why,
    slotsHeld: flow.slotsHeld,
    slotsTotal: flow.slotsTotal,
    partitions: flow.partitions.map((one) => ({
      topic: one.topic,
      remoteTopic: one.remoteTopic,
      partition: one.partition,
      state: one.state,
      ...known('position', one.position, text),
      ...known('sourceEnd', one.sourceEnd, text),
      ...known('lagRecords', one.lagRecords, text),
      ...known('lagSeconds', one.lagSeconds, same<number>),
      ...known('sourceEndAsOf', one.sourceEndAsOfMs, iso),
      why: one.why,
      heldByAgent: one.heldByAgent,
    })),
    notices: flow.notices.map(({ kind, topic, text: said }) => ({ kind, topic, text: said })),
  };
}

export function overrideJson(override: Override): OverrideJson {
  const { kind, flow, by, why, atMs, untilMs } = override;
  const place =
    kind === 'pause'
      ? {
          ...known('topic', override.topic, same<string>),
          ...known('partition', override.partition, same<number>),
        }
      : known('bytesPerSecond', override.bytesPerSecond, same<number>);
  return { kind, flow, ...place, by, why, at: iso(atMs), ...known('until', untilMs, iso) };
}

export function agentStatusJson(status: MeshStatus): AgentStatusJson {
  const { mesh, site, agent, softwareVersion, startedAtMs } = status.identity;
  return {
    identity: { mesh, site, agent, softwareVersion, startedAt: iso(startedAtMs) },
    topologyVersion: status.topologyVersion,
    topologyHash: status.topologyHash,
    ...known('conflict', status.conflict, same<string>),
    flows: status.flows.map(flowJson),
    peers: status.peers.map((peer) => ({
      agent: peer.agent,
      grpc: peer.grpc,
      state: peer.state,
      ...known('lastContact', peer.lastContactMs, iso),
      ...known('topologyVersion', peer.topologyVersion, same<number>),
      why: peer.why,
    })),
    groups: { ...status.groups },
    overrides: status.overrides.map(overrideJson),
    positions: status.positions.map(({ asOfMs, ...source }) => ({
      ...source,
      ...known('asOf', asOfMs, iso),
    })),
  };
}

export function statusJson(
  agents: readonly MeshStatus[],
  silent: StatusJson['silent'],
): StatusJson {
  return { schema: 1, agents: agents.map(agentStatusJson), silent };
}

export function lagJson(
  flows: readonly FlowStatus[],
  silent: readonly LagJson['silent'][number][] = [],
): LagJson {
  return { schema: 1, flows: flows.map(flowJson), silent: [...silent] };
}
