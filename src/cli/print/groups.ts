/** Tables of `groups` and `failover --all-groups`. */
import type { FailoverAllJson, GroupsJson } from '../../client/answers.ts';
import { homeText, modeText } from './failover.ts';
import { clockTime, count, table, tableOfAnswers, unheardSites } from './table.ts';

const groupsHeader = [
  'GROUP',
  'AT',
  'MODE',
  'HOME',
  'STATE',
  'EXACT',
  'RE-READ',
  'NOT HERE',
  'POSITIONS OF',
  'WHY',
];

export function groupsTable({ groups, silent }: GroupsJson): string {
  const rows = groups.map((one) => {
    const isTranslated = one.partitions > 0;
    const atLeast = one.notHereAtLeast === '0' ? '0' : `≥ ${count(one.notHereAtLeast)}`;
    return [
      one.group,
      one.site,
      modeText(one),
      one.home === undefined ? '-' : homeText(one.home),
      one.state,
      isTranslated ? `${one.exactPartitions} of ${one.partitions}` : '-',
      isTranslated ? count(one.reread) : '-',
      isTranslated ? atLeast : '-',
      clockTime(one.positionsAsOf),
      one.why,
    ];
  });
  return tableOfAnswers(groupsHeader, rows, unheardSites(silent));
}

const failoverHeader = ['GROUP', 'OUTCOME', 'HOW', 'EXACT', 'RE-READ', 'NOT HERE', 'PLAN', 'WHY'];

export function failoverAllTable({ groups, from, to }: FailoverAllJson): string {
  const sum = (values: readonly (string | undefined)[]): bigint =>
    values.reduce((total, value) => total + BigInt(value ?? 0), 0n);
  const rows = groups.map(({ group: id, as, outcome, why, plan, report }) => {
    const group = as === undefined ? id : `${id} as ${as}`;
    const shown = report?.plan ?? plan;
    if (shown === undefined) return [group, outcome, '-', '-', '-', '-', '-', why];
    const { positions, verdict } = shown.translation;
    const exact = positions.filter(({ certainty }) => certainty === 'exact').length;
    return [
      group,
      outcome,
      verdict,
      `${exact} of ${positions.length}`,
      count(sum(positions.map(({ reread }) => reread))),
      `≥ ${count(shown.lossRecordsAtLeast)}`,
      shown.planId,
      why,
    ];
  });
  const tally = (['planned', 'moved', 'unknown', 'refused', 'left'] as const)
    .map((word) => [word, groups.filter(({ outcome }) => outcome === word).length] as const)
    .filter(([, number]) => number > 0)
    .map(([word, number]) => `${number} ${word}`);
  const isPlan = groups.some(({ outcome }) => outcome === 'planned');
  const again = isPlan ? ' · nothing changed; again with --execute' : '';
  return `${table(failoverHeader, rows)}${from}->${to}: ${tally.join(', ') || 'no groups'}${again}\n`;
}
