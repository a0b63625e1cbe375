/**
 * What must hold between different places of the file. Every broken rule is told, not only the
 * first.
 */
import type { TopologyFile } from './file-schema.ts';
import { isAllPass } from './lane.ts';
import { proveRoutes } from './loop-proof.ts';
import type { Topology } from './model.ts';
import type { Problem, ProblemPath } from './problems.ts';
import { vainEntries } from './vain-entries.ts';

export function brokenRules(file: TopologyFile, topology: Topology): Problem[] {
  return [
    ...unknownSites(file),
    ...doubleAddresses(file),
    ...sharedBrokers(file),
    ...retired(file),
    ...doubleFlows(file),
    ...homes(file),
    ...recompressed(file, topology),
    ...vainEntries(file),
    ...routes(topology),
  ];
}

function declared(file: TopologyFile): Set<string> {
  return new Set(Object.keys(file.sites));
}

function list(names: Iterable<string>): string {
  return [...names].join(', ');
}

function unknownSites(file: TopologyFile): Problem[] {
  const sites = declared(file);
  const problems: Problem[] = [];
  const check = (name: string, path: ProblemPath): void => {
    if (sites.has(name)) return;
    problems.push({ path, message: `no site ${name}; declared are ${list(sites)}` });
  };
  file.flows?.forEach(({ from, to, forward = [] }, index) => {
    check(from, ['flows', index, 'from']);
    check(to, ['flows', index, 'to']);
    if (from === to) {
      problems.push({ path: ['flows', index], message: `a flow from ${from} to itself` });
    }
    forward.forEach((name, place) => check(name, ['flows', index, 'forward', place]));
  });
  file.defaults.forward?.forEach((name, place) => check(name, ['defaults', 'forward', place]));
  return problems;
}

function doubleAddresses(file: TopologyFile): Problem[] {
  const problems: Problem[] = [];
  const seen = new Map<string, string>();
  for (const [site, { agents }] of Object.entries(file.sites)) {
    agents.forEach((agent, index) => {
      for (const kind of ['grpc', 'http'] as const) {
        const name = `${site}-${index + 1}`;
        const address = agent[kind].toLowerCase();
        const before = seen.get(address);
        const path = ['sites', site, 'agents', index, kind];
        if (before !== undefined) {
          problems.push({ path, message: `${agent[kind]} is the address of ${before} already` });
        }
        seen.set(address, `${name} (${kind})`);
      }
    });
  }
  return problems;
}

/** A broker belongs to one cluster, and a cluster to one site. */
function sharedBrokers(file: TopologyFile): Problem[] {
  const owners = new Map<string, string>();
  return Object.entries(file.sites).flatMap(([site, { kafka }]) => {
    const { brokers } = kafka;
    const all = Array.isArray(brokers) ? brokers : [...brokers.local, ...brokers.remote];
    const shared = [...new Set(all)].filter((one) => (owners.get(one) ?? site) !== site);
    for (const one of all) owners.set(one, owners.get(one) ?? site);
    return shared.map((one) => ({
      path: ['sites', site, 'kafka', 'brokers'],
      message: `${one} is a broker of ${owners.get(one) ?? ''} already`,
    }));
  });
}

function retired(file: TopologyFile): Problem[] {
  const sites = declared(file);
  return file.retiredSites.flatMap((name, index) =>
    sites.has(name)
      ? [{ path: ['retiredSites', index], message: `${name} is declared as a site: not retired` }]
      : [],
  );
}

function doubleFlows(file: TopologyFile): Problem[] {
  const seen = new Set<string>();
  return (file.flows ?? []).flatMap(({ from, to }, index) => {
    const id = `${from}->${to}`;
    const isDouble = seen.has(id);
    seen.add(id);
    return isDouble ? [{ path: ['flows', index], message: `flow ${id} is declared twice` }] : [];
  });
}

function homes(file: TopologyFile): Problem[] {
  const sites = declared(file);
  const problems: Problem[] = [];
  for (const [group, { mode, home }] of Object.entries(file.defaults.groups?.modes ?? {})) {
    const path = ['defaults', 'groups', 'modes', group];
    if (mode === 'single' && home === undefined) {
      problems.push({ path, message: `group ${group}: mode single wants a home: a site` });
    }
    if (home !== undefined && !sites.has(home)) {
      const message = `group ${group}: no site ${home}; declared are ${list(sites)}`;
      problems.push({ path: [...path, 'home'], message });
    }
    if (home !== undefined && mode !== 'single') {
      const message = `group ${group}: mode ${mode} has no home`;
      problems.push({ path: [...path, 'home'], message });
    }
  }
  return problems;
}

/** In the pass lane batches travel as they are: a codec to write with would say nothing. */
function recompressed(file: TopologyFile, topology: Topology): Problem[] {
  return topology.flows.flatMap((flow, index) => {
    if (!isAllPass(flow) || flow.compression === 'source') return [];
    const isDefault = file.flows?.[index]?.compression === undefined;
    const path = isDefault ? ['defaults', 'compression'] : ['flows', index, 'compression'];
    const message = `compression: ${flow.compression} in flow ${flow.id}, whose lane is pass`;
    return [{ path, message: `${message}: its batches keep the codec they have` }];
  });
}

function routes(topology: Topology): Problem[] {
  return proveRoutes(topology).doubles.map(({ first, second }) => ({
    path: ['flows'],
    message:
      `records born at ${first[0] ?? '?'} would reach ${first.at(-1) ?? '?'} twice: ` +
      `by ${first.join(' -> ')} and by ${second.join(' -> ')}`,
  }));
}
