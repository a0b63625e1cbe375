/** From the text of a topology file to the checked model, or to all of its problems at once. */
import { createHash } from 'node:crypto';
import { flowId, siteName, type SiteName } from '../base/ids.ts';
import { parseByteSize } from './byte-size.ts';
import { parseDuration } from './duration.ts';
import { fileSchema, type FlowPart, type TopologyFile } from './file-schema.ts';
import { stampOnly } from './lane.ts';
import type {
  FlowSettings,
  GroupSettings,
  LaneChoice,
  NameFilter,
  Site,
  Topology,
} from './model.ts';
import { topologyInvalid, type PlacedProblem, type Places } from './problems.ts';
import { brokenRules } from './rules.ts';
import { readYaml } from './yaml-text.ts';

const homeIdleMsDefault = 30_000;
const everything = { include: ['.*'], exclude: [] };

/**
 * @param file the name shown in messages
 * @throws MeshError topology_invalid: a line `file:line:column: message` per problem
 */
export function parseTopology(text: string, file: string): Topology {
  const { content, places } = readYaml(text, file);
  const parsed = fileSchema.safeParse(content);
  const issues = parsed.error?.issues ?? [];
  const problems = issues.flatMap((issue) => placed(issue, content, places));
  // Keys that nobody knows do not hide what else is wrong.
  const known = parsed.success ? parsed : parseRest(content, issues);
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
  if (issue.code === 'invalid_key') {
    const why = issue.issues.map(({ message }) => message).join('; ');
    const key = JSON.stringify(path.at(-1));
    const where = path.slice(0, -1).join('.');
    return [places.at({ path, message: `${where}: found the key ${key}, wanted ${why}` })];
  }
  if (issue.code === 'invalid_union') {
    const inside = meantForm(issue.errors);
    // With the path of the whole, so that the place is found.
    const whole = inside.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
    if (whole.length > 0) return whole.flatMap((one) => placed(one, content, places));
  }
  const wanted = issue.message
    .replace(/^Invalid input: expected (.*), received .*$/, '$1')
    .replace(/^(Invalid (input|string|option)|Too (small|big)): ?(expected )?/, '')
    .replace(/^array$/, 'a list')
    .replace(/^(object|record)$/, 'a mapping');
  const found = foundText(valueAt(content, path), path.at(-1));
  return [places.at({ path, message: `${path.join('.')}: found ${found}, wanted ${wanted}` })];
}

/** What is wrong in the form that has the right type; nothing where none has. */
function meantForm(forms: readonly (readonly Issue[])[]): readonly Issue[] {
  const isOther = ({ path, code }: Issue): boolean =>
    path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
  return forms.find((issues) => !issues.some(isOther)) ?? [];
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

/**
 * What is left when everything that is wrong by itself has been taken out, so that it does not hide
 * the rules that are broken between places. Without a site there is nothing to look at.
 */
function parseRest(
  content: unknown,
  first: readonly Issue[],
): ReturnType<typeof fileSchema.safeParse> {
  const copy: unknown = structuredClone(content);
  let issues = first;
  let parsed = fileSchema.safeParse(copy);
  for (let round = 0; round < takeOutMax && !parsed.success; round += 1) {
    for (const issue of issues) takeOut(copy, issue);
    parsed = fileSchema.safeParse(copy);
    issues = parsed.error?.issues ?? [];
  }
  return parsed;
}

const takeOutMax = 5;

function takeOut(content: unknown, issue: Issue): void {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) removeAt(content, [...path, key]);
    return;
  }
  if (path[0] === 'sites') return;
  // What is missing is taken out with what it is missing in; of a list all of it.
  while (valueAt(content, path) === undefined && path.length > 1) path.pop();
  while (typeof path.at(-1) === 'number') path.pop();
  removeAt(content, path);
}

function removeAt(content: unknown, path: readonly (string | number)[]): void {
  const holder = valueAt(content, path.slice(0, -1));
  const key = path.at(-1);
  if (typeof holder === 'object' && holder !== null && key !== undefined) {
    Reflect.deleteProperty(holder, key);
  }
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
    homeIdleMs: parseDuration(file.defaults.groups?.homeIdle ?? '') ?? homeIdleMsDefault,
    retiredSites: file.retiredSites.map((name) => siteName(name)),
    mm2: file.mm2,
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
    groups: filterOf(part.groups),
    start: part.start ?? 'earliest',
    lane: laneOf(part.lane),
    forward: (part.forward ?? [])
      .map((name) => siteName(name))
      .filter((name) => name !== from && name !== to),
    compression: part.compression ?? 'source',
    limit: { bytesPerSecond: parseByteSize(part.limit?.bytesPerSecond ?? '') },
    onSourceReset: part.onSourceReset ?? 'pause',
    onTargetReset: part.onTargetReset ?? 'pause',
    sync: syncOf(part.sync),
  };
}

function syncOf({
  configs = true,
  acls = true,
}: FlowPart['sync'] & object = {}): FlowSettings['sync'] {
  return { configs: configs === true ? everything : configs, acls };
}

function laneOf(lane: FlowPart['lane'] = 'stamp'): LaneChoice {
  if (typeof lane === 'string') return { ...stampOnly, default: lane };
  return {
    default: lane.default,
    stamp: { include: lane.stamp, exclude: [] },
    pass: { include: lane.pass, exclude: [] },
  };
}

function groupsOf(groups: TopologyFile['defaults']['groups']): GroupSettings {
  const modes = Object.entries(groups?.modes ?? {}).map(([group, { mode, home }]) => [
    group,
    { mode, home: home === undefined ? undefined : siteName(home) },
  ]);
  return {
    ...filterOf(groups),
    // Built from entries of just these types.
    modes: Object.fromEntries(modes) as GroupSettings['modes'],
  };
}

/** Without what else there is beside the names in the defaults. */
function filterOf({ include, exclude }: NameFilter = everything): NameFilter {
  return { include, exclude };
}

/** The same text for the same content, whatever the order of keys, comments or white space. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
