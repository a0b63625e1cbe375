/** Where a group is at home, as its members are told: domain values to messages and back. */
import type { HomeView } from '../groups/watch-home.ts';
import type { WatchHomeResponse } from '../gen/causeway/v1/failover.ts';
import type { GroupMode } from '../gen/causeway/v1/groups.ts';
import { modes } from './convert-groups.ts';
import { fromHome, toHome } from './convert-homes.ts';
import { fromEnum, site, toEnum } from './convert-values.ts';

export function toHomeView({ group, mode, home, leaving }: HomeView): WatchHomeResponse {
  return {
    group,
    // Our names with the prefix of the generated enum are its values.
    mode: toEnum('GROUP_MODE', mode) as GroupMode,
    home: home && toHome(home),
    leaving: leaving && { ...leaving },
  };
}

export function fromHomeView({ group, mode, home, leaving }: WatchHomeResponse): HomeView {
  return {
    group,
    mode: fromEnum('GROUP_MODE', mode, modes),
    home: home && fromHome(home),
    leaving: leaving && { from: site(leaving.from), to: site(leaving.to) },
  };
}
