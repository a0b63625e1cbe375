/** What the topology says of one consumer group. */
import { matchesFilter } from './filter.ts';
import type { GroupDeclaration, GroupSettings } from './model.ts';

/** Groups of the agents themselves: never followed, never written. */
const ownGroups = /^causeway\./;

export interface GroupFinding {
  /** False: left out by the filter; nothing is known of it and nothing done. */
  readonly isIncluded: boolean;
  readonly declaration: GroupDeclaration | undefined;
}

export function groupDeclaration(groups: GroupSettings, group: string): GroupFinding {
  const isIncluded = !ownGroups.test(group) && matchesFilter(groups, group);
  return {
    isIncluded,
    declaration: Object.hasOwn(groups.modes, group) ? groups.modes[group] : undefined,
  };
}
