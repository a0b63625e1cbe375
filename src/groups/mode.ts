/** What may be done with a group, as the topology declares it. */
import type { SiteName } from '../base/ids.ts';
import { groupDeclaration } from '../topology/groups.ts';
import type { Topology } from '../topology/model.ts';
import type { GroupMode } from './answer.ts';

export interface DeclaredMode {
  readonly isIncluded: boolean;
  /** `off` unless declared: translated when asked, never written. */
  readonly mode: GroupMode;
  readonly isDeclared: boolean;
  /** The first home, before any failover. */
  readonly home: SiteName | undefined;
}

export function declaredMode(topology: Topology, group: string): DeclaredMode {
  const { isIncluded, declaration } = groupDeclaration(topology.groups, group);
  return {
    isIncluded,
    mode: declaration?.mode ?? 'off',
    isDeclared: declaration !== undefined,
    home: declaration?.home,
  };
}

/** It runs at each site by itself: no site is its home. */
export function isAtEachSite(mode: GroupMode): boolean {
  return mode === 'local' || mode === 'everywhere';
}
