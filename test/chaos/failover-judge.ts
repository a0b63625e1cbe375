/**
 * What a group read before its site died, after it had gone on elsewhere and after it was home
 * again, held against the logs. Pure.
 *
 * ```
 *   log at home   ......|known at the survivor...|committed......|read          (the site dies)
 *   read again          [ not yet known there    [ not committed ]
 * ```
 */
import type { ReportJson } from '../../src/client/answers.ts';
import type { Committed } from '../support/steady-member.ts';
import type { Lineage } from '../support/lineage.ts';

type Position = ReportJson['committed'][number];

export interface LogRead {
  readonly lineage: Lineage;
  /** Numbers, in the order in which they were read. */
  readonly atHome: readonly number[];
  readonly atOther: readonly number[];
  readonly back: readonly number[];
  /** Acknowledged at home before it died. */
  readonly commits: readonly Committed[];
  /** What the failover did with it, and then the switchover. */
  readonly position: Position | undefined;
  readonly wayHome: Position | undefined;
  /** End of the copy at the survivor shortly before the site died. */
  readonly copiedUpTo: number;
  /** Numbers given out by then. */
  readonly writtenUpTo: number;
}

export interface Moment {
  readonly group: string;
  readonly home: string;
  readonly other: string;
  readonly killedAtMs: number;
}

export interface GroupCounts {
  readonly group: string;
  readonly read: number;
  /** Never read, though they stand in the logs. */
  readonly skipped: number;
  readonly again: number;
  /** Of those: read and not committed; committed and not known; before what was known. */
  readonly againNotCommitted: number;
  readonly againNotKnown: number;
  readonly againByTranslation: number;
  /** What the plan said of the last of them: at most. */
  readonly againStated: number;
  readonly exactPositions: number;
  readonly positions: number;
  readonly lateStated: number;
  readonly late: number;
  readonly againAtHome: number;
}

/** A commit is known at another site so soon after it was acknowledged. */
const knownWithinMs = 3_000;

export function judgeGroup(
  moment: Moment,
  logs: readonly LogRead[],
  lateStated: number,
): { readonly counts: GroupCounts; readonly breaches: string[] } {
  const judged = logs.map((log) => judgeLog(moment, log));
  const sum = (key: keyof LogCounts): number =>
    judged.reduce((total, { counts }) => total + counts[key], 0);
  const breaches = judged.flatMap((one) => one.breaches);
  const late = sum('late');
  if (late < lateStated) {
    breaches.push(`${moment.group}: ${late} records were not there yet, ${lateStated} were stated`);
  }
  const counts: GroupCounts = {
    group: moment.group,
    read: sum('read'),
    skipped: sum('skipped'),
    again: sum('againNotCommitted') + sum('againNotKnown') + sum('againByTranslation'),
    againNotCommitted: sum('againNotCommitted'),
    againNotKnown: sum('againNotKnown'),
    againByTranslation: sum('againByTranslation'),
    againStated: sum('againStated'),
    exactPositions: sum('exact'),
    positions: judged.length,
    lateStated,
    late,
    againAtHome: sum('againAtHome'),
  };
  return { counts, breaches };
}

interface LogCounts {
  read: number;
  skipped: number;
  againNotCommitted: number;
  againNotKnown: number;
  againByTranslation: number;
  againStated: number;
  exact: number;
  late: number;
  againAtHome: number;
}

function judgeLog(
  moment: Moment,
  log: LogRead,
): { readonly counts: LogCounts; readonly breaches: string[] } {
  const { home, other } = moment;
  const { lineage, position } = log;
  const where = `${moment.group}: ${lineage.nameAt(home)}/${lineage.partition}`;
  const breaches: string[] = [];
  const atHome = new Set(log.atHome);
  const atOther = new Set(log.atOther);
  const back = new Set(log.back);
  const standing = new Set([...lineage.log(home).ids, ...lineage.log(other).ids]);
  const skipped = [...standing].filter(
    (number) => !atHome.has(number) && !atOther.has(number) && !back.has(number),
  );
  if (skipped.length > 0) {
    const from = lineage.placeOf(home, skipped[0]!) ?? -1;
    breaches.push(`${where}: ${skipped.length} records from @${from} on were never read`);
  }
  const againAtHome = [...back].filter((number) => atHome.has(number) || atOther.has(number));
  if (againAtHome.length > 0) {
    const { source, target, certainty, reason } = log.wayHome ?? {};
    const moved = `${source?.offset ?? '-'} to ${target?.offset ?? '-'}, ${certainty} ${reason}`;
    const what = `${againAtHome.length} records were read again after the way home`;
    breaches.push(`${where}: ${what}, from ${moved}`);
  }
  if (log.wayHome !== undefined) breaches.push(...wronglyMoved(log, other, home, log.wayHome));
  const counts: LogCounts = {
    read: new Set([...atHome, ...atOther, ...back]).size,
    skipped: skipped.length,
    ...again(moment, log, breaches),
    exact: position?.certainty === 'exact' ? 1 : 0,
    late: lineage.origin === home ? lateOf(moment, log) : 0,
    againAtHome: againAtHome.length,
  };
  for (const [what, numbers] of [
    ['survivor', log.atOther],
    ['home again', log.back],
  ] as const) {
    const twice = numbers.length - new Set(numbers).size;
    if (twice > 0) breaches.push(`${where}: ${twice} records twice at the ${what}`);
  }
  return { counts, breaches };
}

/** Records that had been read at home and came again, by why. */
function again(moment: Moment, log: LogRead, breaches: string[]) {
  const { home, other, killedAtMs } = moment;
  const { lineage, position, commits } = log;
  const where = `${moment.group}: ${lineage.nameAt(home)}/${lineage.partition}`;
  const none = { againNotCommitted: 0, againNotKnown: 0, againByTranslation: 0, againStated: 0 };
  const committed = commits.reduce((last, { offset }) => Math.max(last, offset), 0);
  const settled = commits.filter(({ atMs }) => atMs <= killedAtMs - knownWithinMs);
  const due = settled.at(-1)?.offset ?? 0;
  // Of a log in which nothing was committed, or not long ago, nobody knows that the group reads it:
  // it is read from its start.
  const isMoved = position?.target.offset !== undefined;
  const known = isMoved ? Number(position.source.offset ?? 0) : 0;
  if (known < due)
    breaches.push(`${where}: only ${known} was known, ${due} was committed long ago`);
  const found = { ...none, againStated: Number(position?.reread ?? 0) };
  const read = new Set(log.atHome);
  for (const number of new Set(log.atOther)) {
    if (!read.has(number)) continue;
    const place = lineage.placeOf(home, number) ?? -1;
    if (place < known) found.againByTranslation += 1;
    else if (place < committed) found.againNotKnown += 1;
    else found.againNotCommitted += 1;
  }
  if (!isMoved) return found;
  const { againByTranslation, againStated } = found;
  if (position.reread === undefined && position.source.offset !== undefined) {
    breaches.push(`${where}: nothing was said of reading again`);
  }
  if (againByTranslation > againStated) {
    breaches.push(`${where}: ${againByTranslation} read again, at most ${againStated} were stated`);
  }
  breaches.push(...wronglyMoved(log, home, other, position));
  return found;
}

function wronglyMoved(log: LogRead, from: string, to: string, position: Position): string[] {
  const { lineage } = log;
  const { source, target, certainty, reason } = position;
  const at = Number(source.offset ?? 0);
  const verdict = lineage.judge(from, to, at, Number(target.offset));
  const place = `${lineage.nameAt(from)}/${lineage.partition}@${at} of ${from}`;
  const words = `${place} became ${target.offset ?? '-'}, ${certainty} ${reason}`;
  if (verdict.isAhead) return [`${words}: ahead`];
  return certainty === 'exact' && !verdict.isVery ? [`${words}: not the record`] : [];
}

/** Records born at home that had not crossed when it died. */
function lateOf({ home, other }: Moment, log: LogRead): number {
  const { lineage, copiedUpTo, writtenUpTo } = log;
  const numbers = lineage.log(home).ids.filter((number) => number < writtenUpTo);
  return numbers.filter((number) => (lineage.placeOf(other, number) ?? Infinity) >= copiedUpTo)
    .length;
}
