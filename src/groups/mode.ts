/**
 * What may be done with a group: as the topology declares it, or, where it says nothing, as was
 * found out by where the group has committed.
 */
import type { SiteName } from '../base/ids.ts';
import { groupDeclaration } from '../topology/groups.ts';
import type { Topology } from '../topology/model.ts';
import type { GroupHome, GroupMode, HomeState } from './answer.ts';

export interface ResolvedMode {
  readonly isIncluded: boolean;
  /** `off` of a group of which nothing is known: translated when asked, never written. */
  readonly mode: GroupMode;
  readonly isDeclared: boolean;
  readonly home: GroupHome | undefined;
  /** The sites that a contest is between; otherwise empty. */
  readonly contested: readonly SiteName[];
}

export interface KnownOfGroup {
  /** By the ledger: no declared one is in it. */
  readonly home: GroupHome | undefined;
  /** Sites at which it has ever had commits of its own. */
  readonly seenAt: () => readonly SiteName[];
}

export function resolveMode(topology: Topology, group: string, known: KnownOfGroup): ResolvedMode {
  const { isIncluded, declaration } = groupDeclaration(topology.groups, group);
  const base = { isIncluded, isDeclared: declaration !== undefined, contested: [] };
  if (!isIncluded) return { ...base, mode: 'off', home: decided(known.home) };
  if (known.home?.standsFor !== undefined) {
    // It is there for another group, until that goes on under its own name: nobody follows it.
    return { ...base, mode: declaration?.mode ?? 'off', home: known.home };
  }
  if (declaration === undefined) return { ...base, ...found(known) };
  const { mode, home: first } = declaration;
  if (mode !== 'single' || first === undefined) {
    // Where a group of mode `off` was moved to by hand is told; the others have no home.
    return { ...base, mode, home: mode === 'off' ? decided(known.home) : undefined };
  }
  const { home } = known;
  if (home === undefined || isGuess(home)) {
    // What was found out, or left open, before somebody declared it does not count any more.
    return { ...base, mode, home: { site: first, epoch: home?.epoch ?? 1, state: 'declared' } };
  }
  return { ...base, ...withHome(home) };
}

type Found = Pick<ResolvedMode, 'mode' | 'home' | 'contested'>;

function found({ home, seenAt }: KnownOfGroup): Found {
  if (home !== undefined) return withHome(home);
  const sites = seenAt();
  if (sites.length > 1) return { mode: 'contested', home, contested: sites };
  return { mode: sites.length === 1 ? 'single' : 'off', home, contested: [] };
}

function withHome(home: GroupHome): Found {
  if (home.state !== 'contested') return { mode: 'single', home, contested: [] };
  const { site, rival } = home;
  return { mode: 'contested', home, contested: rival === undefined ? [site] : [site, rival.site] };
}

function isGuess({ state, rival }: GroupHome): boolean {
  return state === 'found' || (state === 'contested' && rival?.isDeclared !== true);
}

function decided(home: GroupHome | undefined): GroupHome | undefined {
  return home?.state === 'moved' ? home : undefined;
}

/** It runs at each site by itself: no site is its home. */
export function isAtEachSite(mode: GroupMode): boolean {
  return mode === 'local' || mode === 'everywhere';
}

export interface ModeCount {
  readonly mode: GroupMode;
  /** How they came to their home. */
  readonly home: HomeState | 'none';
  readonly groups: number;
}

export function countModes(modes: Iterable<ResolvedMode>): ModeCount[] {
  const counts = new Map<string, ModeCount>();
  for (const { mode, home } of modes) {
    const one = { mode, home: home?.state ?? 'none' } as const;
    const key = `${one.mode} ${one.home}`;
    counts.set(key, { ...one, groups: (counts.get(key)?.groups ?? 0) + 1 });
  }
  return [...counts.values()];
}
