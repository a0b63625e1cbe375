/** How commands find agents: by the topology file, or by the addresses given. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { openAgentClient, type AgentClient } from '../client/agent-client.ts';
import type { Topology } from '../topology/model.ts';
import { parseTopology } from '../topology/parse.ts';
import type { CliIo } from './io.ts';

export interface FindOptions {
  readonly topology?: string;
  readonly connect?: readonly string[];
  readonly timeout: string;
}

const defaultFile = 'mesh.yaml';

export function withAgentOptions(command: Command): Command {
  return command
    .option('--topology <file>', `the topology file (default: ./${defaultFile})`)
    .option('--connect <host:port...>', 'gRPC addresses of agents, instead of a file')
    .option('--timeout <seconds>', 'how long to wait for an agent', '10');
}

/** @throws MeshError topology_invalid; usage when there is no such file */
export async function readTopology(io: CliIo, file = defaultFile): Promise<Topology> {
  const place = path.resolve(io.cwd, file);
  let text: string;
  try {
    text = await readFile(place, 'utf8');
  } catch (cause) {
    const found = `--topology: ${file} cannot be read: ${errorMessage(cause)}`;
    const wanted = 'wanted a topology file; --connect names agents without one';
    throw new MeshError('usage', `${found}; ${wanted}`, { cause });
  }
  return parseTopology(text, file);
}

/** @throws MeshError usage */
export function checkAddress(option: string, address: string): string {
  const port = Number(/^(?:\[[^\]]+\]|[^:\s]+):(\d+)$/.exec(address)?.[1]);
  if (port >= 1 && port <= 65_535) return address;
  throw new MeshError('usage', `${option}: found ${JSON.stringify(address)}, wanted host:port`);
}

/** What a command is about: it is compared with the topology file before an agent is asked. */
export interface About {
  /** Whose agents are asked; of all sites unless told. */
  readonly at?: string | undefined;
  /** Names of sites by the options that they came with. */
  readonly sites?: Readonly<Record<string, string>>;
  readonly flow?: string | undefined;
}

/**
 * gRPC addresses; of one site, when a topology file is used. Where agents are named instead, a
 * file is read only if one is named as well.
 * @throws MeshError usage, site_unknown, topology_invalid
 */
export async function agentAddresses(
  io: CliIo,
  options: FindOptions,
  about: About = {},
): Promise<readonly string[]> {
  timeoutMs(options);
  const named = options.connect?.map((address) => checkAddress('--connect', address));
  if (named !== undefined && options.topology === undefined) return named;
  const topology = await readTopology(io, options.topology);
  checkAbout(topology, about);
  const sites = [...topology.sites.values()].filter(
    ({ name }) => about.at === undefined || name === about.at,
  );
  return named ?? sites.flatMap(({ agents }) => agents.map(({ grpc }) => grpc));
}

function checkAbout({ sites, flows }: Topology, about: About): void {
  const declared = [...sites.keys()].map(String);
  const named = { ...about.sites, ...(about.at === undefined ? {} : { '': about.at }) };
  for (const [option, site] of Object.entries(named)) {
    if (declared.includes(site)) continue;
    const where = option === '' ? '' : `${option}: `;
    const text = `${where}no site ${site}; declared are ${declared.join(', ')}`;
    throw new MeshError('site_unknown', text);
  }
  const { flow } = about;
  if (flow === undefined || flows.some(({ id }) => id === flow)) return;
  const wanted = `wanted one of ${flows.map(({ id }) => id).join(', ')}`;
  throw new MeshError('usage', `flow: found ${JSON.stringify(flow)}, ${wanted}`);
}

export function timeoutMs({ timeout }: FindOptions): number {
  const seconds = Number(timeout);
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  const found = JSON.stringify(timeout);
  throw new MeshError('usage', `--timeout: found ${found}, wanted a number of seconds above 0`);
}

/** Asks one agent. */
export async function askAgent<T>(
  io: CliIo,
  address: string,
  options: FindOptions,
  ask: (client: AgentClient) => Promise<T>,
): Promise<T> {
  const ms = timeoutMs(options);
  await using client = openAgentClient({ address, timeoutMs: ms }, io);
  await client.waitForReady(ms);
  return await ask(client);
}

/**
 * Asks one after the other until one answers. @throws MeshError peer_unavailable, naming each
 * failure
 */
export async function askFirst<T>(
  io: CliIo,
  addresses: readonly string[],
  options: FindOptions,
  ask: (client: AgentClient) => Promise<T>,
): Promise<T> {
  const failures: string[] = [];
  for (const address of addresses) {
    try {
      return await askAgent(io, address, options, ask);
    } catch (error) {
      // Its agent is not there, or has no Kafka yet: another one may do better.
      const isAway = isMeshError(error) && error.retriable;
      if (!isAway) throw error;
      failures.push(error.message);
    }
  }
  throw new MeshError('peer_unavailable', `no agent answered: ${failures.join('; ')}`);
}
