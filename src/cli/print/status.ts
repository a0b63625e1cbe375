/** Tables of `status` and `lag`. */
import type {
  AgentStatusJson,
  FlowJson,
  LagJson,
  OverrideJson,
  StatusJson,
} from '../../client/answers.ts';
import { count, rate, seconds, table, tableOfAnswers } from './table.ts';

const flowHeader = ['FLOW', 'AGENT', 'STATE', 'LAG', 'SECONDS', 'TREND', 'MB/s', 'HELD BY', 'WHY'];

function flowRow(flow: FlowJson): string[] {
  return [
    flow.flow,
    flow.agent,
    flow.state,
    lagText(flow),
    seconds(flow.lagSeconds),
    flow.trendRecordsPerSecond === 0 ? '-' : rate(flow.trendRecordsPerSecond),
    speed(flow),
    flow.heldBy ?? '-',
    flow.why,
  ];
}

const noticesShown = 10;

/** What an operator should know of a flow's topics; all of it is in the JSON. */
function noticeLines({ flow, notices }: FlowJson): string[] {
  const lines = notices
    .slice(0, noticesShown)
    .map(({ kind, topic, text }) => `  ${flow} ${kind} ${topic}: ${text}\n`);
  const more = notices.length - lines.length;
  return more > 0 ? [...lines, `  ${flow} and ${more} notices more\n`] : lines;
}

export function statusTable({ agents, silent }: StatusJson): string {
  const first = agents[0];
  const lines = [
    first === undefined
      ? 'no agent answered\n'
      : `mesh ${first.identity.mesh} v${first.topologyVersion}\n`,
    agents.length === 0
      ? ''
      : table(
          flowHeader,
          agents.flatMap(({ flows }) => flows.map(flowRow)),
        ),
  ];
  for (const { identity, flows, peers, groups, positions, conflict } of agents) {
    const slots = flows.map(
      ({ flow, slotsHeld, slotsTotal }) => `${flow} ${slotsHeld}/${slotsTotal}`,
    );
    const { ready, contested, bounded, unknown } = groups;
    const counts = `${ready} ready, ${contested} contested, ${bounded} bounded, ${unknown} unknown`;
    lines.push(
      `AGENT ${identity.agent} ${identity.softwareVersion} slots ${slots.join(', ') || '-'} · GROUPS ${counts}\n`,
    );
    for (const source of positions) lines.push(positionsLine(source, identity.site));
    for (const flow of flows) lines.push(...noticeLines(flow));
    for (const { agent, state, why } of peers) {
      if (state !== 'connected')
        lines.push(`  peer ${agent} ${state}${why === '' ? '' : `: ${why}`}\n`);
    }
    if (conflict !== undefined) lines.push(`  two topologies of one version: ${conflict}\n`);
  }
  lines.push(...overrideLines(agents));
  lines.push(unheard(silent));
  return lines.join('');
}

/** Of partitions whose end has not been seen nobody knows. */
function lagText({ lagRecords, partitions }: FlowJson): string {
  const isKnown = partitions.every((one) => one.partition < 0 || one.lagRecords !== undefined);
  return isKnown ? count(lagRecords) : `≥ ${count(lagRecords)}`;
}

/** `18.2/20.0` where there is a limit. */
function speed({ bytesPerSecond, limitBytesPerSecond }: FlowJson): string {
  const show = (bytes: number): string => (bytes / 1e6).toFixed(1);
  const now = show(bytesPerSecond);
  return limitBytesPerSecond === undefined ? now : `${now}/${show(limitBytesPerSecond)}`;
}

/** Agents of one site tell the same ones. */
function overrideLines(agents: StatusJson['agents']): string[] {
  const all = new Map(
    agents.flatMap(({ overrides }) => overrides).map((one) => [JSON.stringify(one), one]),
  );
  if (all.size === 0) return [];
  const rows = [...all.values()].map((one) => [
    overridePlace(one),
    one.kind === 'pause' ? 'paused' : limitText(one.bytesPerSecond),
    one.by,
    one.at,
    one.until ?? '-',
    one.why,
  ]);
  return ['\n', table(['OVERRIDE', 'WHAT', 'BY', 'SINCE', 'UNTIL', 'WHY'], rows)];
}

export function overridePlace({ flow, topic, partition }: OverrideJson): string {
  return [flow, topic, partition].filter((part) => part !== undefined).join('/');
}

export function limitText(bytesPerSecond: number | undefined): string {
  return bytesPerSecond === undefined ? 'no limit' : `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
}

function positionsLine(
  { site, mode, why, groups, groupsAsked }: AgentStatusJson['positions'][number],
  ownSite: string,
): string {
  const whose = site === ownSite ? '' : ` of ${site}, whose agents are away,`;
  const how = { starting: 'being read', log: 'from the log' }[mode] ?? 'by asking';
  const asked = groupsAsked === 0 ? '' : `, ${groupsAsked} of them asked`;
  return `  positions${whose} ${how}: ${groups} groups${asked}${why === '' ? '' : ` (${why})`}\n`;
}

function unheard(silent: StatusJson['silent']): string {
  return silent.map(({ grpc, why }) => `AGENT at ${grpc} does not answer: ${why}\n`).join('');
}

export function lagTable({ flows, silent }: LagJson): string {
  return tableOfAnswers(flowHeader, flows.map(flowRow), unheard(silent));
}

export function partitionLagTable({ flows, silent }: LagJson): string {
  const rows = flows.flatMap(({ flow, partitions }) =>
    partitions.map((one) => [
      flow,
      one.partition < 0 ? one.topic : `${one.topic}/${one.partition}`,
      one.state,
      one.position === undefined ? '-' : count(one.position),
      one.sourceEnd === undefined ? '-' : count(one.sourceEnd),
      one.lagRecords === undefined ? '-' : count(one.lagRecords),
      seconds(one.lagSeconds),
      one.why,
    ]),
  );
  const header = ['FLOW', 'PARTITION', 'STATE', 'COPIED TO', 'END', 'LAG', 'SECONDS', 'WHY'];
  return tableOfAnswers(header, rows, unheard(silent));
}
