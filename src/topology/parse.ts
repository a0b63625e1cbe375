/** From the text of a topology file to the checked model, or to all of its problems at once. */
import { createHash } from 'node:crypto';
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { flowId, siteName, type SiteName } from '../base/ids.ts';
import { parseByteSize } from './byte-size.ts';
import { fileSchema, type FlowPart, type TopologyFile } from './file-schema.ts';
import { stampOnly } from './lane.ts';
import type { FlowSettings, GroupSettings, LaneChoice, Site, Topology } from './model.ts';
import { Places, topologyInvalid, type PlacedProblem } from './problems.ts';
import { brokenRules } from './rules.ts';

const everything = { include: ['.*'], exclude: [] };

/**
 * @param file the name shown in messages
 * @throws MeshError topology_invalid: a line `file:line:column: message` per problem
 */
export function parseTopology(text: string, file: string): Topology {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const places = new Places(document, lines, file);
  if (document.errors.length > 0) {
    throw topologyInvalid(
      document.errors.map((error) => places.atOffset(error.pos[0], error.message)),
    );
  }
  if (!isMap(document.contents)) {
    const found = isSeq(document.contents) ? 'a list' : 'no keys';
    throw topologyInvalid([places.atOffset(0, `found ${found}, wanted a topology file`)]);
  }
  const content: unknown = document.toJS();
  const parsed = fileSchema.safeParse(content);
  const issues = parsed.error?.issues ?? [];
  const problems = issues.flatMap((issue) => placed(issue, content, places));
  // Keys that nobody knows do not hide what else is wrong.
  const known = parsed.success ? parsed : fileSchema.safeParse(without(content, issues));
  const topology = known.success ? model(known.data, text) : undefined;
  if (known.success && topology !== undefined) {
    problems.push(...brokenRules(known.data, topology).map((problem) => places.at(problem)));
  }
  if (topology === undefined || problems.length > 0) throw topologyInvalid(problems);
  return topology;
}

type Issue = NonNullable<ReturnType<typeof fileSchema.safeParse>['error']>['issues'][number];

function pathOf(issue: Issue): (string | number)[] {
  return issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

function placed(issue: Issue, content: unknown, places: Places): PlacedProblem[] {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      places.at({ path: [...path, key], message: `unknown key ${[...path, key].join('.')}` }),
    );
  }
  const wanted = issue.message
    .replace(/^Invalid input: expected (.*), received .*$/, '$1')
    .replace(/^(Invalid (input|string|option)|Too (small|big)): ?(expected )?/, '');
  const found = foundText(valueAt(content, path), path.at(-1));
  return [places.at({ path, message: `${path.join('.')}: found ${found}, wanted ${wanted}` })];
}

const secretKeys: ReadonlySet<string | number | undefined> = new Set(['password', 'key', 'cert']);
const foundTextMax = 80;

/** What stands in the file, short; never a secret. */
function foundText(value: unknown, name: string | number | undefined): string {
  if (value === undefined || value === null) return 'nothing';
  if (secretKeys.has(name)) return 'something else';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value);
  return text.length > foundTextMax ? `${text.slice(0, foundTextMax)}...` : text;
}

function valueAt(content: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((value, part) => {
    // Anything may be looked into by a key; what is not there is undefined.
    return typeof value === 'object' && value !== null
      ? (value as Record<string | number, unknown>)[part]
      : undefined;
  }, content);
}

/** The content without its unknown keys. */
function without(content: unknown, issues: readonly Issue[]): unknown {
  const copy: unknown = structuredClone(content);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = valueAt(copy, pathOf(issue));
    if (typeof holder !== 'object' || holder === null) continue;
    for (const key of issue.keys) Reflect.deleteProperty(holder, key);
  }
  return copy;
}

function model(file: TopologyFile, source: string): Topology {
  const sites = new Map(
    Object.entries(file.sites).map(([name, site]): [SiteName, Site] => [
      siteName(name),
      { name: siteName(name), kafka: kafkaOf(site.kafka), agents: site.agents },
    ]),
  );
  const names = [...sites.keys()];
  const declared: readonly (FlowPart & { from: string; to: string })[] =
    file.flows ??
    names.flatMap((from) => names.filter((to) => to !== from).map((to) => ({ from, to })));
  return {
    mesh: file.mesh,
    version: file.version,
    sites,
    flows: declared.map((flow) => flowOf(flow, file.defaults)),
    groups: groupsOf(file.defaults.groups),
    retiredSites: file.retiredSites.map((name) => siteName(name)),
    changes: file.changes,
    hash: createHash('sha256').update(canonical(file)).digest('hex'),
    source,
  };
}

function kafkaOf(kafka: TopologyFile['sites'][string]['kafka']): Site['kafka'] {
  const { brokers, tls, sasl, replicationFactor } = kafka;
  const both = Array.isArray(brokers) ? { local: brokers, remote: brokers } : brokers;
  return {
    brokersLocal: both.local,
    brokersRemote: both.remote,
    // Keys that are not there are left out, not undefined.
    tls: tls === undefined ? undefined : withoutUndefined(tls),
    sasl,
    replicationFactor,
  };
}

function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  // The same keys with the same values, but for those that were undefined.
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** Each key replaces its default as a whole. */
function flowOf(flow: FlowPart & { from: string; to: string }, defaults: FlowPart): FlowSettings {
  const from = siteName(flow.from);
  const to = siteName(flow.to);
  const part = { ...defaults, ...withoutUndefined(flow) };
  return {
    id: flowId(from, to),
    from,
    to,
    topics: part.topics ?? everything,
    groups: groupsOf(part.groups),
    start: part.start ?? 'earliest',
    lane: laneOf(part.lane),
    forward: (part.forward ?? [])
      .map((name) => siteName(name))
      .filter((name) => name !== from && name !== to),
    compression: part.compression ?? 'source',
    limit: { bytesPerSecond: parseByteSize(part.limit?.bytesPerSecond ?? '') },
    onSourceReset: part.onSourceReset ?? 'pause',
    onTargetReset: part.onTargetReset ?? 'pause',
    sync: { configs: false, acls: false },
  };
}

function laneOf(lane: FlowPart['lane'] = 'stamp'): LaneChoice {
  if (typeof lane === 'string') return { ...stampOnly, default: lane };
  return {
    default: lane.default,
    stamp: { include: lane.stamp, exclude: [] },
    pass: { include: lane.pass, exclude: [] },
  };
}

function groupsOf(groups: FlowPart['groups']): GroupSettings {
  const modes = Object.entries(groups?.modes ?? {}).map(([group, { mode, home }]) => [
    group,
    { mode, home: home === undefined ? undefined : siteName(home) },
  ]);
  return {
    include: groups?.include ?? everything.include,
    exclude: groups?.exclude ?? everything.exclude,
    // Built from entries of just these types.
    modes: Object.fromEntries(modes) as GroupSettings['modes'],
  };
}

/** The same text for the same content, whatever the order of keys, comments or white space. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
