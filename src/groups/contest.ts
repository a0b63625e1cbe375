/** Groups that are used at several sites: where, and what they have read at both. */
import type { SiteName } from '../base/ids.ts';
import type { Contest, LogPlace, ModeFacts, Overlap } from './answer.ts';
import type { ResolvedMode } from './mode.ts';
import { overlapText, type SitePositions } from './overlap.ts';
import type { SourcePosition } from './translator.ts';

/** `left`: where the group was there before both were used; undefined: that is not known. */
export type FindOverlap = (
  there: SitePositions,
  here: SitePositions,
  left: readonly LogPlace[] | undefined,
) => readonly Overlap[];

/** How the group is used, with what is contested about it as of now. */
export function modeFacts(
  { mode, isDeclared, home, contested }: ResolvedMode,
  positionsAt: (site: SiteName) => readonly SourcePosition[],
  findOverlap: FindOverlap,
): ModeFacts {
  const facts = { mode, isDeclared, home };
  const { rival } = home ?? {};
  const there = rival?.site ?? contested[0];
  const here = contested.find((site) => site !== there);
  if (there === undefined || here === undefined) return { ...facts, contest: undefined };
  const at = (site: SiteName): SitePositions => ({ site, positions: positionsAt(site) });
  const left = rival === undefined || rival.left.length === 0 ? undefined : rival.left;
  const now = findOverlap(at(there), at(here), left);
  // Where a site is not heard any more: what was seen when both were.
  const overlap = now.length > 0 ? now : (rival?.overlap ?? []);
  return { ...facts, contest: { sites: contested, overlap } };
}

const overlapsNamed = 3;

/** Where it is used, and the first logs of which it has read the same records at both. */
export function contestText(group: string, { sites, overlap }: Contest): string {
  const some = overlap.slice(0, overlapsNamed).map(overlapText);
  const more = overlap.length > some.length ? [`${overlap.length - some.length} more logs`] : [];
  const logs = [...some, ...more];
  const both = logs.length === 0 ? '' : ` (${logs.join('; ')})`;
  return `${group} has commits of its own at ${sites.join(' and ')}${both}`;
}
