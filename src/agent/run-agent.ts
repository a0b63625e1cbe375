/** The whole life of an agent process: reads the topology, opens logs, metrics and ports, runs. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, MeshError } from '../base/errors.ts';
import { isSiteName } from '../base/ids.ts';
import { openLog, type Log } from '../base/log.ts';
import { MetricRegistry } from '../base/metrics.ts';
import { Scope } from '../base/scope.ts';
import { logGrpcTo } from '../api/grpc-log.ts';
import { openApi } from '../api/open-api.ts';
import type { AgentIdentity } from '../client/agent-shapes.ts';
import type { AgentAddress, Topology } from '../topology/model.ts';
import { parseTopology } from '../topology/parse.ts';
import { watchEventLoop } from './event-loop.ts';
import { SiteAgent } from './site-agent.ts';
import { openTelemetry } from './telemetry.ts';

export interface RunAgentOptions {
  readonly siteName: string;
  /** 1 is the first that the topology lists for the site. */
  readonly agentNumber: number;
  readonly topologyFile: string;
  /** `host:port` to open, where others dial another one; as the topology says unless told. */
  readonly listenGrpc?: string | undefined;
  readonly listenHttp?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logLevel: string;
  readonly logTo: string | 1 | 2;
  readonly softwareVersion: string;
}

/**
 * @throws MeshError topology_invalid, site_unknown, port_in_use … for what cannot
 * get better by waiting
 */
export async function runAgent(options: RunAgentOptions, signal: AbortSignal): Promise<void> {
  const { topologyFile, softwareVersion } = options;
  const topology = await readTopology(topologyFile);
  const { identity, address } = findAgent(topology, options);
  const { mesh, site, agent } = identity;
  const log = openLogOf(options, { mesh, agent });
  logGrpcTo(log);
  const deps: Deps = { clock: systemClock, log, metrics: new MetricRegistry() };
  await using scope = new Scope();
  scope.defer(watchEventLoop(deps));
  const telemetry = scope.own(
    await openTelemetry(deps.metrics, { mesh, site, agent, softwareVersion }),
  );
  const siteAgent = new SiteAgent(
    {
      topology,
      identity,
      secrets: { env: options.env, readFile: (path) => readFile(path, 'utf8') },
      metricsText: () => telemetry.metricsText(),
    },
    deps,
  );
  const { listenGrpc = address.grpc, listenHttp = address.http } = options;
  scope.own(await openApi({ grpc: listenGrpc, http: listenHttp, ports: siteAgent }, deps));
  const listens = { listenGrpc, listenHttp };
  log.info({ ...address, ...listens, version: topology.version }, 'agent starting');
  await siteAgent.run(signal);
  log.info('agent stopped');
}

function openLogOf({ logLevel, logTo }: RunAgentOptions, agent: Record<string, string>): Log {
  try {
    return openLog({ level: logLevel, to: logTo }, agent);
  } catch (cause) {
    const text = `the log ${logTo} cannot be written: ${errorMessage(cause)}`;
    throw new MeshError('usage', text, { cause });
  }
}

async function readTopology(file: string): Promise<Topology> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const found = errorMessage(cause);
    throw new MeshError('topology_invalid', `${file} cannot be read: ${found}`, { cause });
  }
  return parseTopology(text, file);
}

function findAgent(
  topology: Topology,
  { siteName, agentNumber, softwareVersion }: RunAgentOptions,
): { identity: AgentIdentity; address: AgentAddress } {
  const site = isSiteName(siteName) ? topology.sites.get(siteName) : undefined;
  if (site === undefined) {
    const declared = [...topology.sites.keys()].join(', ');
    throw new MeshError('site_unknown', `no site ${siteName}; declared are ${declared}`);
  }
  const address = site.agents[agentNumber - 1];
  if (address === undefined) {
    const text = `site ${siteName} declares ${site.agents.length} agents: no agent ${agentNumber}`;
    throw new MeshError('usage', text);
  }
  const identity = {
    mesh: topology.mesh,
    site: site.name,
    agent: `${site.name}-${agentNumber}`,
    softwareVersion,
    startedAtMs: systemClock.nowMs(),
  };
  return { identity, address };
}
