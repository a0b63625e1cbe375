/** Tables of `translate` and `failover`. */
import type {
  ContestJson,
  HomeJson,
  PlanJson,
  ReportJson,
  SwitchoverPlanJson,
  TranslateJson,
} from '../../client/answers.ts';
import { clockTime, count, table } from './table.ts';

const header = ['LOG', 'THERE', 'HERE', 'HOW', 'WHY', 'RE-READ', 'NOT HERE'];

function positionRow(from: string, one: TranslateJson['positions'][number]): string[] {
  const { source, target, certainty, reason, reread, notHereAtLeast } = one;
  return [
    `${from}/${source.topic}/${source.partition}`,
    source.offset === undefined ? '-' : count(source.offset),
    target.offset === undefined ? '-' : `${target.topic}@${count(target.offset)}`,
    certainty,
    reason,
    reread === undefined ? '?' : count(reread),
    notHereAtLeast === undefined
      ? '?'
      : notHereAtLeast === '0'
        ? '0'
        : `≥ ${count(notHereAtLeast)}`,
  ];
}

/** What the group passes over: there is nothing to wait for. */
function skippedLines({ from, to, positions }: TranslateJson): string {
  return positions
    .filter(({ skipped }) => skipped !== undefined && skipped !== '0')
    .map(({ source: { topic, partition, offset = '0' }, skipped = '0' }) => {
      const where = `${from}/${topic}/${partition} from ${count(offset)} on`;
      return `SKIPPED ≤ ${count(skipped)} records of ${where}: not held at ${to}, nor will be\n`;
    })
    .join('');
}

function headLine(answer: TranslateJson, as?: string): string {
  const { group, from, to, home, contest, positionsAsOf } = answer;
  const at = home === undefined ? 'no home' : `home ${homeText(home)}`;
  const into = as === undefined ? '' : ` as ${as}`;
  const asOf = positionsAsOf === undefined ? '' : `   positions of ${clockTime(positionsAsOf)} UTC`;
  const both = contest === undefined ? '' : contestLines(contest);
  return `${group} ${from}->${to}${into}   mode ${modeText(answer)}   ${at}${asOf}\n${both}`;
}

/** `single`, and whether somebody said so. */
export function modeText({ mode, modeBy }: Pick<TranslateJson, 'mode' | 'modeBy'>): string {
  return modeBy === 'declared' || mode === 'off' ? mode : `${mode} (found)`;
}

export function homeText({ site, epoch, state }: HomeJson): string {
  const isOpen = state === 'provisional' || state === 'contested';
  return `${site} (epoch ${epoch}${isOpen ? `, ${state}` : ''})`;
}

function contestLines({ sites, overlap }: ContestJson): string {
  const lines = overlap.map(({ site, topic, partition, from = '?', to }) => {
    return `${site}/${topic}/${partition} [${from},${to}) read at both\n`;
  });
  return `contested: commits of its own at ${sites.join(' and ')}\n${lines.join('')}`;
}

function verdictText({ positions, verdict }: TranslateJson): string {
  const exact = positions.filter(({ certainty }) => certainty === 'exact').length;
  return `${verdict}, exact ${exact} of ${positions.length}`;
}

export function translateTable(answer: TranslateJson): string {
  const rows = answer.positions.map((one) => positionRow(answer.from, one));
  const blockers = answer.blockers.map((text) => `not safe to start: ${text}\n`);
  return [
    headLine(answer),
    table(header, rows),
    skippedLines(answer),
    `verdict: ${verdictText(answer)}${answer.safeToStart ? ' · safe to start' : ''}\n`,
    ...blockers,
  ].join('');
}

function lossLine(plan: PlanJson): string {
  const { lossRecordsAtLeast, lossSeconds, growthRecordsPerSecond } = plan;
  const age =
    lossSeconds === undefined || lossSeconds === 0 ? '' : ` (${lossSeconds.toFixed(1)} s)`;
  const growth =
    growthRecordsPerSecond === undefined || growthRecordsPerSecond < 0.5
      ? ''
      : ` + ~${count(growthRecordsPerSecond)}/s since`;
  const { from, to } = plan.translation;
  const unknown = plan.lossUnknownPartitions;
  const blind = unknown === 0 ? '' : `; not known for ${unknown} partitions`;
  return `not at ${to} of what was written at ${from}: ≥ ${count(lossRecordsAtLeast)}${age}${growth}${blind}\n`;
}

function planBody(plan: PlanJson): string {
  const { translation, evidence } = plan;
  const rows = translation.positions.map((one) => positionRow(translation.from, one));
  return [
    headLine(translation, plan.as),
    `evidence: ${evidence.join('; ') || 'none'}\n`,
    table(header, rows),
    skippedLines(translation),
    lossLine(plan),
  ].join('');
}

function refusedText({ refusals }: PlanJson): string {
  return `refused: ${refusals.join('\nrefused: ')}\nnothing changed\n`;
}

export function switchoverTable(plan: SwitchoverPlanJson): string {
  const body = planBody(plan);
  if (plan.refusals.length > 0) return body + refusedText(plan);
  const waiting = plan.waitingFor.map((text) => `would wait for: ${text}\n`).join('');
  const verdict = `verdict: ${plan.waitingFor.length === 0 ? 'ready, ' : ''}`;
  return `${body}${waiting}${verdict}${verdictText(plan.translation)} · nothing changed; again with --execute\n`;
}

export function planTable(plan: PlanJson): string {
  const body = planBody(plan);
  if (plan.refusals.length > 0) return body + refusedText(plan);
  const again = `again with --execute --plan ${plan.planId}`;
  return `${body}verdict: ready, ${verdictText(plan.translation)} · nothing changed; ${again}\n`;
}

function atHomeText({ as, translation }: PlanJson, home: ReportJson['home']): string {
  const { site, epoch, standsFor } = home;
  const { group } = translation;
  if (standsFor === undefined || as === undefined) {
    return `${group} is at home at ${site} (epoch ${epoch})`;
  }
  if (standsFor.site === site) return `${as} is at home at ${site} again (epoch ${epoch})`;
  return `${as} is at home at ${site} (epoch ${epoch}), for ${standsFor.group} of ${standsFor.site}`;
}

export function reportTable(report: ReportJson): string {
  const { plan, committed, home, executedAt } = report;
  return [
    planBody(plan),
    `done at ${clockTime(executedAt)} UTC: ${committed.length} offsets committed; `,
    `${atHomeText(plan, home)}\n`,
  ].join('');
}
