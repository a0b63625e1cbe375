/** What happened to groups: kept in `__causeway-events` like what happens to flows, and logged. */
import type { SiteName } from '../base/ids.ts';
import type { FailoverReport, GroupHome } from './answer.ts';
import { atHome } from './stand-in.ts';
import type { LateStretch } from './stored-late.ts';

export type GroupEvent =
  | {
      /** `home`: one that nobody asked for. */
      readonly kind: 'failover' | 'switchover' | 'home';
      readonly flow: string; // from where to where
      readonly group: string;
      readonly text: string;
    }
  | {
      readonly kind: 'late_records';
      readonly flow: string;
      readonly topic: string;
      readonly partition: number;
      readonly text: string;
      /** At the source. */
      readonly range: { readonly site: SiteName; readonly from: bigint; readonly to: bigint };
    };

export function moveEvent(
  kind: 'failover' | 'switchover',
  { plan, committed, home }: FailoverReport,
  requestedBy: string,
): GroupEvent {
  const { group, from, to } = plan.answer;
  const into = plan.as === undefined ? '' : ` as ${plan.as}`;
  const text = `${group}${into} is at home at ${atHome(home)}, asked for by ${requestedBy}`;
  const offsets = `${committed.length} offsets committed`;
  return { kind, flow: `${from}->${to}`, group, text: `${text}: ${offsets}` };
}

/** A home that moved by itself, or of which it is open where it is. */
export function homeEvent(
  group: string,
  home: GroupHome,
  { other, site, why }: { readonly other: SiteName; readonly site: SiteName; readonly why: string },
): GroupEvent {
  const is = {
    declared: 'at home',
    found: 'at home',
    moved: 'at home',
    provisional: 'provisionally at home',
    contested: 'contested, last at home',
  }[home.state];
  const text = `${group} is ${is} at ${atHome(home)}: ${why}`;
  return { kind: 'home', flow: `${other}->${site}`, group, text };
}

export function lateEvent(stretch: LateStretch): GroupEvent {
  const { flow, topic, partition, from, to = from, target, records, groups, moreGroups } = stretch;
  const more = moreGroups > 0 ? [`${moreGroups} more`] : [];
  const names = [...groups.map(({ group, as = group }) => as), ...more].join(', ');
  const log = `${topic}/${partition}`;
  const here = target === undefined ? '' : ` at ${target.topic} [${target.from}, ${target.to})`;
  const text =
    stretch.state === 'gone'
      ? `${log} is another log now: what ${names} failed over past from ${from} on is not in it`
      : `${records ?? 0} late records of ${log} are here${here}, for ${names}`;
  // A flow is named by its two sites.
  const site = flow.split('->')[0] as SiteName;
  return { kind: 'late_records', flow, topic, partition, text, range: { site, from, to } };
}
