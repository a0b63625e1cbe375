/** What differs between two topologies, a readable line each. */
import type { Topology } from './model.ts';

export function topologyDifferences(before: Topology, after: Topology): readonly string[] {
  return differences('', plain(before), plain(after));
}

function plain({ mesh, version, sites, flows, groups, retiredSites, mm2 }: Topology): unknown {
  return {
    mesh,
    version,
    sites: Object.fromEntries(sites),
    flows: Object.fromEntries(flows.map((flow) => [flow.id, flow])),
    groups,
    retiredSites,
    mm2,
  };
}

function differences(path: string, before: unknown, after: unknown): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isObject(before) || !isObject(after)) {
    return [`${path}: ${show(before)} -> ${show(after)}`];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(path === '' ? key : `${path}.${key}`, before[key], after[key]),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Passwords stand in the file only as references, so that nothing secret is shown. */
function show(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value);
}
