/** Homes of groups, and what is open about them: domain values to messages and back. */
import type * as wire from '../gen/causeway/v1/groups.ts';
import type { Contest, GroupHome, HomeRival, HomeState, Overlap } from '../groups/answer.ts';
import { fromEnum, present, site, toEnum } from './convert-values.ts';

const states: readonly HomeState[] = ['declared', 'found', 'moved', 'provisional', 'contested'];

export function toHome({ site: at, epoch, state, rival, standsFor }: GroupHome): wire.GroupHome {
  // The values of the generated enum are its prefix and our names in capitals.
  const told = toEnum('HOME_STATE', state) as wire.HomeState;
  return { site: at, epoch, state: told, rival: rival && toRival(rival), standsFor };
}

export function fromHome(told: wire.GroupHome): GroupHome {
  const { site: at, epoch, state, rival, standsFor } = told;
  // Agents before there were states told of homes that had moved.
  const isTold = state !== 'HOME_STATE_UNSPECIFIED';
  const home = {
    site: site(at),
    epoch,
    state: isTold ? fromEnum('HOME_STATE', state, states) : 'moved',
  } as const;
  return {
    ...home,
    ...(rival === undefined ? {} : { rival: fromRival(rival) }),
    ...(standsFor === undefined
      ? {}
      : { standsFor: { group: standsFor.group, site: site(standsFor.site) } }),
  };
}

function toRival({ site: at, left, overlap, isDeclared }: HomeRival): wire.HomeRival {
  return {
    site: at,
    left: left.map((one) => ({ ...one })),
    overlap: overlap.map(toOverlap),
    isDeclared,
  };
}

function fromRival({ site: at, left, overlap, isDeclared }: wire.HomeRival): HomeRival {
  return {
    site: site(at),
    left: left.map(({ topic, partition, offset }) => {
      return { topic, partition, offset: present(offset, 'offset') };
    }),
    overlap: overlap.map(fromOverlap),
    isDeclared,
  };
}

export function toContest({ sites, overlap }: Contest): wire.Contest {
  return { sites: [...sites], overlap: overlap.map(toOverlap) };
}

export function fromContest({ sites, overlap }: wire.Contest): Contest {
  return { sites: sites.map(site), overlap: overlap.map(fromOverlap) };
}

function toOverlap(overlap: Overlap): wire.Overlap {
  return { ...overlap };
}

function fromOverlap({ site: at, topic, partition, from, to }: wire.Overlap): Overlap {
  return { site: site(at), topic, partition, from, to };
}
