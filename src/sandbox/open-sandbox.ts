/**
 * Makes a sandbox, or starts the one that its folder holds again: chooses ports, writes the state
 * and `mesh.yaml`, formats and starts all sites side by side. Nothing is left running when it
 * fails.
 */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { throwIfAborted, type Clock } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import { isSiteName } from '../base/ids.ts';
import { freePorts, isPortFree } from './free-ports.ts';
import { findJava } from './java-tools.ts';
import { checkVersion, kafkaClasspath } from './kafka-jars.ts';
import { meshFile } from './mesh-file.ts';
import { processState } from './process-ref.ts';
import type { Environment } from './run-program.ts';
import { Sandbox, type SandboxContext, type SandboxSite } from './sandbox.ts';
import {
  claimFolder,
  emptyFolder,
  readState,
  writeState,
  type SandboxState,
  type SiteState,
} from './state-file.ts';

export interface SiteRequest {
  readonly name: string;
  readonly kafkaVersion: string;
  readonly brokers?: 1 | 3;
  /** One per broker; free ones are chosen when left out. */
  readonly ports?: readonly number[];
  /**
   * One port per broker at which a proxy will stand: each broker gets a second listener
   * (`wanListeners`) that tells clients to come to `localhost:<that port>`.
   */
  readonly wanPorts?: readonly number[];
  /** Lines for server.properties; they win over ours. */
  readonly extraConfig?: Readonly<Record<string, string>>;
}

export interface SandboxOptions {
  /** Made when missing; must be empty or hold a sandbox. */
  readonly dir: string;
  readonly sites: readonly SiteRequest[];
  /** Agents per site in `mesh.yaml`; 1 unless told. */
  readonly agentsPerSite?: number;
  readonly heapMb?: number; // 512
  /** Empties a folder that holds another sandbox, or the data of this one, first. */
  readonly isFresh?: boolean;
  /** The brokers end with this process even when it is killed (where `setpriv` exists). */
  readonly isTied?: boolean;
  readonly onProgress?: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly env?: Environment;
}

/** @throws MeshError sandbox, port_in_use, tool_missing, usage, aborted */
export async function openSandbox(options: SandboxOptions, deps: Deps): Promise<Sandbox> {
  const dir = path.resolve(options.dir);
  // One site's failure calls off the start of the others.
  const failed = new AbortController();
  const signal = AbortSignal.any([failed.signal, ...(options.signal ? [options.signal] : [])]);
  const context: SandboxContext = {
    env: options.env ?? process.env,
    isTied: options.isTied ?? false,
    onProgress: options.onProgress ?? (() => undefined),
    signal,
  };
  checkRequests(dir, options.sites);
  await claimFolder(dir);
  refuseRunning(dir);
  if (options.isFresh === true) await emptyFolder(dir);
  await getTools(options.sites, context);
  if (readState(dir)?.sites.length === 0) await layOut(dir, options, deps.clock);
  else checkSame(dir, options);
  const sandbox = new Sandbox(dir, context, deps);
  context.onProgress(`starting Kafka at ${sandbox.sites.map(({ name }) => name).join(' and ')}`);
  const starts = options.sites.map((site) => startSite(sandbox.site(site.name), site, context));
  try {
    await Promise.all(starts);
    throwIfAborted(signal);
    return sandbox;
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(starts);
    await sandbox.down();
    throw error;
  }
}

async function startSite(
  site: SandboxSite,
  { extraConfig }: SiteRequest,
  { onProgress }: SandboxContext,
): Promise<void> {
  await site.format(extraConfig ?? {});
  await site.start();
  onProgress(`${site.name} is up at ${site.brokers.join(',')}`);
}

function checkRequests(dir: string, sites: readonly SiteRequest[]): void {
  const usage = (message: string): MeshError => new MeshError('usage', message);
  if (dir.includes(',')) throw usage(`Kafka takes no comma in a folder's name: ${dir}`);
  if (sites.length === 0) throw usage('name at least one site');
  const names = new Set(sites.map(({ name }) => name));
  if (names.size < sites.length) throw usage('a site is named twice');
  for (const { name, kafkaVersion, brokers = 1, ports, wanPorts } of sites) {
    if (!isSiteName(name)) throw usage(`not a site name: ${name}; such as east, west-2`);
    checkVersion(kafkaVersion);
    for (const list of [ports, wanPorts]) {
      if (list === undefined) continue;
      const isGood = list.every((port) => Number.isInteger(port) && port > 0 && port < 65_536);
      if (!isGood) throw usage(`site ${name}: not ports: ${list.join(', ')}`);
      if (list.length !== brokers) throw usage(`site ${name}: ${brokers} ports are needed`);
    }
  }
}

function refuseRunning(dir: string): void {
  for (const { name, brokers } of readState(dir)?.sites ?? []) {
    const isRunning = brokers.some(
      ({ process }) => process !== undefined && processState(process) !== 'gone',
    );
    if (!isRunning) continue;
    const advice = `\`causeway sandbox down --dir ${dir}\` stops it`;
    throw new MeshError('sandbox', `the sandbox in ${dir} is running (site ${name}): ${advice}`);
  }
}

/** One after the other: sites that start side by side then find everything there. */
async function getTools(sites: readonly SiteRequest[], context: SandboxContext): Promise<void> {
  await findJava(context);
  for (const version of new Set(sites.map(({ kafkaVersion }) => kafkaVersion))) {
    await kafkaClasspath(version, context);
  }
}

async function layOut(dir: string, options: SandboxOptions, clock: Clock): Promise<void> {
  const taken = new Set(
    options.sites.flatMap(({ ports, wanPorts }) => [ports, wanPorts]).flatMap((list) => list ?? []),
  );
  for (const port of new Set(options.sites.flatMap(({ ports }) => ports ?? []))) {
    if (await isPortFree(port)) continue;
    throw new MeshError('port_in_use', `something listens at localhost:${port} already`);
  }
  const brokersAll = options.sites.reduce((sum, { brokers = 1 }) => sum + brokers, 0);
  const agents = options.agentsPerSite ?? 1;
  const spare = await freePorts(brokersAll * 3 + options.sites.length * agents * 2, clock, taken);
  const next = (): number => {
    const port = spare.shift();
    if (port === undefined) throw new MeshError('defect', 'too few ports were asked for');
    return port;
  };
  const sites = options.sites.map((site): SiteState => ({
    name: site.name,
    kafkaVersion: site.kafkaVersion,
    clusterId: clusterId(clock),
    heapMb: options.heapMb ?? 512,
    brokers: Array.from({ length: site.brokers ?? 1 }, (_, index) => {
      const advertised = site.wanPorts?.[index];
      return {
        id: index + 1,
        port: site.ports?.[index] ?? next(),
        controllerPort: next(),
        ...(advertised === undefined ? {} : { wan: { port: next(), advertised } }),
      };
    }),
  }));
  const mesh = sites.map(({ name, brokers }) => ({
    name,
    brokers: brokers.map(({ port }) => `localhost:${port}`),
    agents: Array.from({ length: agents }, () => ({
      grpc: `localhost:${next()}`,
      http: `localhost:${next()}`,
    })),
  }));
  const state: SandboxState = { format: 1, sites };
  writeState(dir, state);
  const file = path.join(dir, 'mesh.yaml');
  if (!existsSync(file)) writeFileSync(file, meshFile(mesh));
}

/** 16 random bytes in Kafka's notation, which must not look like an option. */
function clusterId(clock: Clock): string {
  return `K${Buffer.from(clock.uniqueId(), 'hex').toString('base64url').slice(1)}`;
}

/** A folder's data belongs to the sites that it was made for. */
function checkSame(dir: string, options: SandboxOptions): void {
  const held = readState(dir)?.sites ?? [];
  const words = (name: string, version: string, brokers: number): string =>
    `${name} (${version}, brokers: ${brokers})`;
  const before = held.map((site) => words(site.name, site.kafkaVersion, site.brokers.length));
  const asked = options.sites.map((site) => words(site.name, site.kafkaVersion, site.brokers ?? 1));
  const arePortsSame = options.sites.every((site, at) =>
    (site.ports ?? []).every((port, index) => held[at]?.brokers[index]?.port === port),
  );
  if (before.join() === asked.join() && arePortsSame) return;
  const holds = `${dir} holds a sandbox of ${before.join(', ')}`;
  throw new MeshError('sandbox', `${holds}: start it fresh, which deletes that, or elsewhere`);
}
