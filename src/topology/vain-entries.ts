/** Entries that would say nothing, or only half of what is meant: refused, not passed over. */
import type { FlowPart, TopologyFile } from './file-schema.ts';
import { matchesFilter } from './filter.ts';
import { pemProblem } from './pem.ts';
import type { Problem, ProblemPath } from './problems.ts';

export function vainEntries(file: TopologyFile): Problem[] {
  const { defaults, flows = [] } = file;
  return [
    ...(Object.keys(file.sites).length === 0
      ? [{ path: ['sites'], message: 'sites: found an empty mapping, wanted a site at the least' }]
      : []),
    ...Object.entries(file.sites).flatMap(([site, { kafka }]) => kafkaProblems(site, kafka)),
    ...partProblems(defaults, ['defaults']),
    ...flows.flatMap((flow, index) => partProblems(flow, ['flows', index])),
    ...flows.flatMap((flow, index) => forwardedEnds(flow, index)),
    ...doubles(file.retiredSites, ['retiredSites']),
    ...vainModes(defaults.groups),
  ];
}

function doubles(names: readonly string[], path: ProblemPath): Problem[] {
  const lower = names.map((name) => name.toLowerCase());
  return names.flatMap((name, index) =>
    lower.indexOf(name.toLowerCase()) === index
      ? []
      : [
          {
            path: [...path, index],
            message: `${path.join('.')}: found ${name} twice, wanted it once`,
          },
        ],
  );
}

function kafkaProblems(site: string, kafka: TopologyFile['sites'][string]['kafka']): Problem[] {
  const path = ['sites', site, 'kafka'];
  const { brokers, tls = {} } = kafka;
  const pair = [['cert', tls.cert, 'key', tls.key] as const, ['key', tls.key, 'cert', tls.cert]];
  return [
    ...(Array.isArray(brokers)
      ? doubles(brokers, [...path, 'brokers'])
      : (['local', 'remote'] as const).flatMap((end) =>
          doubles(brokers[end], [...path, 'brokers', end]),
        )),
    ...pair.flatMap(([name = '', value, other = '', otherValue]) =>
      value !== undefined && otherValue === undefined
        ? [
            {
              path: [...path, 'tls', name],
              message: `${[...path, 'tls'].join('.')}: found ${name} alone, wanted ${other} with it`,
            },
          ]
        : [],
    ),
    ...(['ca', 'cert', 'key'] as const).flatMap((name) => {
      const text = tls[name];
      const wrong = text?.includes('${') === false ? pemProblem(name, text) : undefined;
      const where = [...path, 'tls', name];
      return wrong === undefined
        ? []
        : [{ path: where, message: `${where.join('.')}: found ${wrong}` }];
    }),
  ];
}

function partProblems(
  { topics, groups, sync, lane, forward }: FlowPart,
  at: ProblemPath,
): Problem[] {
  const configs = typeof sync?.configs === 'object' ? sync.configs : undefined;
  const filters = [
    { path: [...at, 'topics'], filter: topics },
    { path: [...at, 'groups'], filter: groups },
    { path: [...at, 'sync', 'configs'], filter: configs },
  ];
  return [
    ...filters.flatMap(({ path, filter }) => bothWays(filter, path)),
    ...vainLane(lane, [...at, 'lane']),
    ...doubles(forward ?? [], [...at, 'forward']),
  ];
}

/** `.*` in exclude is how to say none, beside the default of include. */
function bothWays(filter: FlowPart['topics'], path: ProblemPath): Problem[] {
  return (filter?.include ?? []).flatMap((pattern, index) =>
    pattern !== '.*' && filter?.exclude.includes(pattern) === true
      ? [
          {
            path: [...path, 'include', index],
            message: `${path.join('.')}: found ${pattern} in include and exclude, wanted it in one`,
          },
        ]
      : [],
  );
}

function vainLane(lane: FlowPart['lane'], path: ProblemPath): Problem[] {
  if (typeof lane !== 'object') return [];
  const { default: rest, stamp, pass } = lane;
  const where = path.join('.');
  if (rest === 'pass' && pass.length > 0) {
    const message = `${where}: found patterns for pass, which is the default already`;
    return [{ path: [...path, 'pass'], message: `${message}; wanted patterns for stamp` }];
  }
  if (rest === 'stamp' && stamp.length > 0 && pass.length === 0) {
    const message = `${where}: found patterns for stamp, which is the default already`;
    return [{ path: [...path, 'stamp'], message: `${message}; wanted patterns for pass` }];
  }
  return stamp
    .filter((pattern) => pass.includes(pattern))
    .map((pattern) => ({
      path: [...path, 'pass', pass.indexOf(pattern)],
      message: `${where}: found ${pattern} in stamp and pass, wanted it in one`,
    }));
}

/** In the defaults a site may stand that is an end of some flows: it is forwarded by the others. */
function forwardedEnds(
  { from, to, forward = [] }: FlowPart & { from: string; to: string },
  flow: number,
): Problem[] {
  return forward.flatMap((name, index) =>
    name === from || name === to
      ? [
          {
            path: ['flows', flow, 'forward', index],
            message: `flow ${from}->${to}: found its own end ${name} in forward, wanted other sites`,
          },
        ]
      : [],
  );
}

function vainModes(groups: TopologyFile['defaults']['groups']): Problem[] {
  if (groups === undefined) return [];
  return Object.entries(groups.modes).flatMap(([group, { mode }]) => {
    const path = ['defaults', 'groups', 'modes', group];
    if (/\.[*+]/.test(group)) {
      return [{ path, message: `group ${group}: found a pattern, wanted the name of one group` }];
    }
    if (mode === 'off' || matchesFilter(groups, group)) return [];
    const message = `group ${group}: found mode ${mode}, but groups.include and exclude leave it out`;
    return [{ path, message: `${message}; wanted one or the other` }];
  });
}
