/** How well a group could go on at this site, in one word and, when it is not well, a reason. */
import type { SiteName } from '../base/ids.ts';
import { weakest, type Certainty } from '../offsets/certainty.ts';
import type { GroupReadiness, ModeFacts, ReadinessState, TranslatedPosition } from './answer.ts';
import { contestText } from './contest.ts';
import { isAtEachSite } from './mode.ts';
import type { FailoverRequest } from './updates.ts';

export interface ReadinessFacts extends ModeFacts {
  readonly site: SiteName;
  /** Sites at which it has, or had, positions. */
  readonly withPositions: readonly SiteName[];
  /** It has commits of its own at this site. */
  readonly isUsedHere: boolean;
  /** Translated to this site. */
  readonly positions: readonly TranslatedPosition[];
}

type State = Pick<GroupReadiness, 'state' | 'why'>;

const state = (word: ReadinessState, why = ''): State => ({ state: word, why });

export function readinessState(facts: ReadinessFacts): State {
  const { site, mode, isDeclared, home, contest, withPositions, positions } = facts;
  const { standsFor } = home ?? {};
  if (standsFor !== undefined && home !== undefined) {
    const whom = `${standsFor.group} of ${standsFor.site}`;
    if (standsFor.site === home.site) return state('own', `gone back to ${whom}`);
    if (home.site === site) return state('home', `for ${whom}`);
  }
  if (isAtEachSite(mode)) {
    return state('own', `mode ${mode}: its positions at each site are its own`);
  }
  if (contest !== undefined) {
    const mend = isDeclared ? 'stop it at one, and move it there' : 'declare its mode';
    return state('contested', `${contestText('it', contest)}: ${mend}`);
  }
  if (home === undefined && withPositions.length > 1) {
    return state('contested', `it has positions of its own at ${withPositions.join(' and ')}`);
  }
  if (home?.site === site) return state('home');
  if (home === undefined && withPositions[0] === site) return state('own', 'known only here');
  if (positions.length === 0) {
    return state('unknown', `no position of it at ${home?.site ?? 'another site'} is known`);
  }
  const verdict = verdictOf(positions);
  const isLossy = ({ skipped = 0n }: TranslatedPosition): boolean => skipped > 0n;
  const lossy = verdict === 'unknown' ? undefined : positions.find(isLossy);
  const weak = lossy ?? positions.find(({ certainty }) => certainty === verdict);
  const { topic = '', partition = 0 } = weak?.source ?? {};
  const lost = lossy === undefined ? '' : `, ≤ ${lossy.skipped ?? 0n} skipped`;
  const why = `${topic}/${partition}: ${weak?.reason ?? ''}${lost}`;
  if (verdict === 'lower_bound') return state('bounded', why);
  if (verdict === 'unknown') return state('unknown', why);
  return state('ready', facts.isUsedHere ? 'it has commits of its own here: --overwrite' : '');
}

/** The weakest of all. */
export function verdictOf(positions: readonly TranslatedPosition[]): Certainty {
  return weakest(positions.map(({ certainty }) => certainty));
}

export function totals(
  positions: readonly TranslatedPosition[],
): Pick<GroupReadiness, 'partitions' | 'exactPartitions' | 'notHereAtLeast' | 'reread'> {
  const sum = (of: (one: TranslatedPosition) => bigint | undefined): bigint =>
    positions.reduce((total, one) => total + (of(one) ?? 0n), 0n);
  return {
    partitions: positions.length,
    exactPartitions: positions.filter(({ certainty }) => certainty === 'exact').length,
    notHereAtLeast: sum(({ notHereAtLeast }) => notHereAtLeast),
    reread: sum(({ reread }) => reread),
  };
}

/** What `status` shows of them: groups of mode `single`, and those that are contested. */
export function countReadiness(groups: readonly GroupReadiness[]): {
  readonly ready: number;
  readonly contested: number;
  readonly bounded: number;
  readonly unknown: number;
} {
  const counts = { ready: 0, contested: 0, bounded: 0, unknown: 0 };
  for (const { mode, state: word } of groups) {
    if ((mode !== 'single' && mode !== 'contested') || word === 'own') continue;
    counts[word === 'home' ? 'ready' : word] += 1;
  }
  return counts;
}

/** Why the group should not just be started at the other site. */
export function* blockersOf(
  { group, to, as }: Pick<FailoverRequest, 'group' | 'to' | 'as'>,
  { mode, home, contest }: ModeFacts,
  positions: readonly TranslatedPosition[],
): Iterable<string> {
  if (verdictOf(positions) === 'unknown') yield 'some positions cannot be translated';
  const skipped = positions.reduce((sum, one) => sum + (one.skipped ?? 0n), 0n);
  if (skipped > 0n) yield `up to ${skipped} records are not held at ${to}, nor will be`;
  if (isAtEachSite(mode) && as === undefined) yield `${group} has progress of its own at each site`;
  if (contest !== undefined) yield contestText(group, contest);
  if (home?.site === to) yield `${group} is at home at ${to}: it starts from its own commits`;
}
