/**
 * One site's brokers as processes: their folders are formatted once, then they are started and
 * watched until metadata says that all of them are in. A broker is its own process group and
 * session, so that Ctrl-C in a terminal reaches us alone and we stop it in order.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { throwIfAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import { openCluster } from '../kafka/session.ts';
import { processRef, processState, type ProcessRef } from './process-ref.ts';
import { runProgram, tied, type Environment } from './run-program.ts';
import { logConfig, serverProperties } from './server-properties.ts';
import type { BrokerState, SiteState } from './state-file.ts';

export interface SiteFolder {
  readonly dir: string;
  readonly site: SiteState;
}

export interface JavaContext {
  readonly java: string;
  readonly classpath: string;
  readonly env: Environment;
  /** The brokers end with this process, even when it is killed, where the system can do that. */
  readonly isTied: boolean;
}

const readyMsMax = 180_000;
const probeMs = 150;

export function logFileOf(dir: string, siteName: string): string {
  return path.join(dir, 'logs', `${siteName}.log`);
}

function brokerDir({ dir, site }: SiteFolder, broker: BrokerState): string {
  return path.join(dir, 'sites', site.name, `broker-${broker.id}`);
}

/** Writes the files of a site and formats its brokers' folders. */
export async function formatSite(
  folder: SiteFolder,
  extraConfig: Readonly<Record<string, string>>,
  context: JavaContext,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { dir, site } = folder;
  mkdirSync(path.join(dir, 'logs'), { recursive: true });
  for (const broker of site.brokers) {
    const home = brokerDir(folder, broker);
    mkdirSync(home, { recursive: true });
    const text = serverProperties(broker, {
      kafkaVersion: site.kafkaVersion,
      brokers: site.brokers,
      dataDir: path.join(home, 'data'),
      extraConfig,
    });
    writeFileSync(path.join(home, 'server.properties'), text);
    const log = logConfig(site.kafkaVersion);
    writeFileSync(path.join(home, log.fileName), log.text);
    if (existsSync(path.join(home, 'data', 'meta.properties'))) continue;
    const tool = ['-Xshare:auto', '-XX:TieredStopAtLevel=1', '-cp', context.classpath];
    const { code, lastLines } = await runProgram(
      context.java,
      [
        ...tool,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        site.clusterId,
        '-c',
        path.join(home, 'server.properties'),
      ],
      { env: context.env, signal },
    );
    if (code !== 0) {
      const why = lastLines.join('\n  ');
      throw new MeshError('sandbox', `formatting a broker of ${site.name} failed:\n  ${why}`);
    }
  }
}

/** Starts one broker and returns at once. */
export function startBroker(
  folder: SiteFolder,
  broker: BrokerState,
  context: JavaContext,
): ProcessRef {
  const { dir, site } = folder;
  const home = brokerDir(folder, broker);
  const log = logConfig(site.kafkaVersion);
  const java: [string, ...string[]] = [
    context.java,
    `-Xmx${site.heapMb}m`,
    `-Dcauseway.broker=${site.name}-${broker.id}`,
    log.javaOption(pathToFileURL(path.join(home, log.fileName)).href),
    '-cp',
    context.classpath,
    'kafka.Kafka',
    path.join(home, 'server.properties'),
  ];
  const [command, ...args] = context.isTied ? tied(java, context.env) : java;
  const output = openSync(logFileOf(dir, site.name), 'a');
  const child = spawn(command, args, {
    cwd: home,
    env: context.env,
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  child.on('error', () => undefined); // No pid then, which is what is looked at.
  const ref = child.pid === undefined ? undefined : processRef(child.pid);
  if (ref === undefined) {
    throw new MeshError('sandbox', `a broker of ${site.name} could not be started: ${command}`);
  }
  return ref;
}

/**
 * Waits until each broker's metadata knows all of them.
 * @throws MeshError sandbox, with the last lines of the log, when one ends or time is up
 */
export async function waitUntilReady(
  { dir, site }: SiteFolder,
  deps: Deps,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = deps.clock.monotonicMs() + readyMsMax;
  const log = logFileOf(dir, site.name);
  const waiting = new Set(site.brokers);
  while (waiting.size > 0) {
    if (signal !== undefined) throwIfAborted(signal);
    for (const broker of waiting) {
      if (broker.process === undefined || processState(broker.process) === 'gone') {
        throw new MeshError('sandbox', await failure(`broker ${broker.id} ended`, site.name, log));
      }
      if (await knowsAll(site, broker, deps)) waiting.delete(broker);
    }
    if (waiting.size === 0) return;
    if (deps.clock.monotonicMs() > deadline) {
      throw new MeshError('sandbox', await failure('not ready in time', site.name, log));
    }
    await deps.clock.sleep(probeMs, signal);
  }
}

async function knowsAll(site: SiteState, broker: BrokerState, deps: Deps): Promise<boolean> {
  try {
    await using cluster = await openCluster(
      {
        name: site.name,
        brokers: [`localhost:${broker.port}`],
        clientId: 'causeway-sandbox',
        connectTimeoutMs: 2_000,
        requestTimeoutMs: 5_000,
      },
      deps,
    );
    const { brokers } = await cluster.metadata();
    return brokers.size >= site.brokers.length;
  } catch {
    return false; // Not yet; what is wrong for good shows in the process or by the deadline.
  }
}

const logLinesShown = 12;

async function failure(what: string, site: string, log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const telling = lines.filter((line) => /ERROR|FATAL|Exception|Error:/.test(line));
  const shown = (telling.length > 0 ? telling : lines).slice(-logLinesShown);
  return [`site ${site}: ${what}; its log is ${log}`, ...shown.map((line) => `  ${line}`)].join(
    '\n',
  );
}
