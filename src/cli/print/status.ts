/** Tables of `status` and `lag`. */
import type { FlowJson, LagJson, StatusJson } from '../../client/answers.ts';
import { count, rate, seconds, table } from './table.ts';

const flowHeader = ['FLOW', 'AGENT', 'STATE', 'LAG', 'SECONDS', 'TREND', 'MB/s', 'HELD BY', 'WHY'];

function flowRow(flow: FlowJson): string[] {
  return [
    flow.flow,
    flow.agent,
    flow.state,
    count(flow.lagRecords),
    seconds(flow.lagSeconds),
    flow.trendRecordsPerSecond === 0 ? '-' : rate(flow.trendRecordsPerSecond),
    (flow.bytesPerSecond / 1e6).toFixed(1),
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
  for (const { identity, flows, peers, groups, conflict } of agents) {
    const slots = flows.map(
      ({ flow, slotsHeld, slotsTotal }) => `${flow} ${slotsHeld}/${slotsTotal}`,
    );
    const { ready, contested, bounded, unknown } = groups;
    const counts = `${ready} ready, ${contested} contested, ${bounded} bounded, ${unknown} unknown`;
    lines.push(
      `AGENT ${identity.agent} ${identity.softwareVersion} slots ${slots.join(', ') || '-'} · GROUPS ${counts}\n`,
    );
    for (const flow of flows) lines.push(...noticeLines(flow));
    for (const { agent, state, why } of peers) {
      if (state !== 'connected')
        lines.push(`  peer ${agent} ${state}${why === '' ? '' : `: ${why}`}\n`);
    }
    if (conflict !== undefined) lines.push(`  two topologies of one version: ${conflict}\n`);
  }
  for (const { grpc, why } of silent) lines.push(`AGENT at ${grpc} does not answer: ${why}\n`);
  return lines.join('');
}

export function lagTable({ flows }: LagJson): string {
  return table(flowHeader, flows.map(flowRow));
}

export function partitionLagTable({ flows }: LagJson): string {
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
  return table(['FLOW', 'PARTITION', 'STATE', 'COPIED TO', 'END', 'LAG', 'SECONDS', 'WHY'], rows);
}
