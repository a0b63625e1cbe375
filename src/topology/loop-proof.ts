/**
 * Proof that no record can arrive at a site twice: follows a record born at each site along every
 * flow that would carry it, for a topic that every filter lets through.
 */
import type { SiteName } from '../base/ids.ts';
import type { Topology } from './model.ts';

export interface LoopFinding {
  /** Two ways by which records of one site reach another; each begins at the site of birth. */
  readonly doubles: readonly {
    readonly first: readonly SiteName[];
    readonly second: readonly SiteName[];
  }[];
  /** Sites that records of another never reach: `[born, site]`. */
  readonly unreached: readonly (readonly [SiteName, SiteName])[];
}

type Flows = Pick<Topology, 'flows' | 'sites'>;

export function proveRoutes({ flows, sites }: Flows): LoopFinding {
  const doubles: { first: readonly SiteName[]; second: readonly SiteName[] }[] = [];
  const unreached: [SiteName, SiteName][] = [];
  for (const born of sites.keys()) {
    const arrived = new Map<SiteName, readonly SiteName[]>([[born, [born]]]);
    const next: (readonly SiteName[])[] = [[born]];
    for (let way = next.shift(); way !== undefined; way = next.shift()) {
      for (const to of onward(flows, way)) {
        const longer = [...way, to];
        const known = arrived.get(to);
        if (known !== undefined) doubles.push({ first: known, second: longer });
        else {
          arrived.set(to, longer);
          next.push(longer);
        }
      }
    }
    for (const site of sites.keys()) if (!arrived.has(site)) unreached.push([born, site]);
  }
  return { doubles, unreached };
}

/** Where the last site of the way passes such a record on to: never to where it has been. */
function onward(flows: Flows['flows'], way: readonly SiteName[]): SiteName[] {
  const here = way.at(-1);
  const before = way.at(-2);
  const found = flows
    .filter(({ from, to, forward }) => {
      if (from !== here || way.includes(to)) return false;
      return before === undefined || forward.includes(before);
    })
    .map(({ to }) => to);
  return [...new Set(found)];
}
