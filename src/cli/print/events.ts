/** Tables of `events`. */
import type { EventsJson, LateJson } from '../../client/answers.ts';
import { clockTime, count, tableOfAnswers, unheardSites } from './table.ts';

type Late = LateJson['late'][number];

/** `2026-11-25 23:44:07`, in UTC. */
function dateTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

export function eventsTable({ events, silent }: EventsJson): string {
  const rows = events.map(({ at, site = '-', kind, flow, topic, partition, group, text }) => {
    const part =
      topic === undefined ? '' : `/${topic}${partition === undefined ? '' : `/${partition}`}`;
    return [dateTime(at), site, kind, group ?? `${flow}${part}`, text];
  });
  const header = ['AT (UTC)', 'SITE', 'KIND', 'WHAT', 'TEXT'];
  return tableOfAnswers(header, rows, unheardSites(silent));
}

export function lateTable({ late, silent }: LateJson): string {
  const rows = late.map((one) => {
    const { flow, topic, partition, from, to, target, state, failedOverAt, seenAt, endedAt } = one;
    return [
      `${flow.split('->')[0] ?? ''}/${topic}/${partition}`,
      `[${count(from)}, ${to === undefined ? '?' : count(to)})`,
      target === undefined ? '-' : `${target.topic} [${count(target.from)}, ${count(target.to)})`,
      one.records === undefined ? `≥ ${count(one.atLeast)}` : count(one.records),
      state,
      clockTime(failedOverAt),
      clockTime(seenAt),
      clockTime(endedAt),
      groupsText(one),
    ];
  });
  const header = [
    ...['LOG', 'THERE', 'HERE', 'RECORDS', 'STATE'],
    ...['FAILED OVER', 'SEEN AGAIN', 'ALL HERE', 'GROUPS'],
  ];
  return tableOfAnswers(header, rows, unheardSites(silent));
}

function groupsText({ groups, moreGroups }: Late): string {
  const names = groups.map(({ group, as }) => (as === undefined ? group : `${group} as ${as}`));
  return [...names, ...(moreGroups > 0 ? [`${moreGroups} more`] : [])].join(', ');
}
