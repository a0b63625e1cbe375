/**
 * A real agent: `causeway agent` as a process of its own, from the built command line, to be
 * killed, frozen and stopped like one. Its log goes to a file that failures name. None outlives the
 * test process: each is killed at its exit, and by the kernel when that did not get so far.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import {
  killProcess,
  processRef,
  processState,
  signalProcess,
  stopProcess,
  type ProcessRef,
  type ProcessState,
} from '../../src/sandbox/process-ref.ts';
import { tied } from '../../src/sandbox/run-program.ts';
import { parseTopology } from '../../src/topology/parse.ts';
import { until } from './until.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const cli = path.join(root, 'bin', 'causeway');
/** `#!/usr/bin/env -S node ...` */
const [firstLine = ''] = readFileSync(cli, 'utf8').split('\n');
const usualNodeArgs = firstLine.split(' ').slice(3);
const readyMsMax = 60_000;
const logTailLines = 15;

export interface AgentOptions {
  readonly site: string;
  readonly topologyFile: string;
  /** Which of the site's agents, from 1. */
  readonly agent?: number;
  /** The log of each start is appended to `<logDir>/agent-<site>-<n>.log`. */
  readonly logDir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly extraArgs?: readonly string[];
  /** For node itself: `--cpu-prof`. */
  readonly nodeArgs?: readonly string[];
}

const alive = new Set<ProcessRef>();
process.once('exit', () => {
  for (const ref of alive) signalProcess(ref, 'SIGKILL');
});

/** Starts an agent and waits until it says that it is ready. */
export async function startAgent(options: AgentOptions): Promise<AgentProcess> {
  const agent = new AgentProcess(options);
  try {
    agent.launch();
    await agent.ready();
    return agent;
  } catch (error) {
    await agent.kill();
    throw error;
  }
}

/** Lines that are no JSON; of an agent that was killed the last may be cut off, and goes on. */
function strayLines(log: string): string[] {
  return log.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
}

export class AgentProcess implements AsyncDisposable {
  readonly options: AgentOptions;
  /** `host:port`, as the topology says. */
  readonly grpc: string;
  readonly http: string;
  readonly logFile: string;
  #process: ProcessRef | undefined;

  constructor(options: AgentOptions) {
    this.options = options;
    const { site, topologyFile, agent = 1, logDir } = options;
    const topology = parseTopology(readFileSync(topologyFile, 'utf8'), topologyFile);
    const sites = [...topology.sites.values()];
    const address = sites.find(({ name }) => name === site)?.agents[agent - 1];
    if (address === undefined) throw new Error(`${topologyFile}: no agent ${agent} at ${site}`);
    this.grpc = address.grpc;
    this.http = address.http;
    this.logFile = path.join(logDir, `agent-${site}-${agent}.log`);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get state(): ProcessState {
    return this.#process === undefined ? 'gone' : processState(this.#process);
  }

  /** Starts it without waiting; again after a kill or a stop. */
  launch(): void {
    if (this.state !== 'gone') throw new Error(`agent of ${this.options.site} is running`);
    mkdirSync(path.dirname(this.logFile), { recursive: true });
    const { site, topologyFile, agent = 1, extraArgs = [], nodeArgs = [] } = this.options;
    const args = ['agent', '--site', site, '--topology', topologyFile, '--agent', String(agent)];
    const [command, ...rest] = tied(
      [process.execPath, ...usualNodeArgs, ...nodeArgs, cli, ...args],
      process.env,
    );
    const output = openSync(this.logFile, 'a');
    const child = spawn(command, [...rest, ...extraArgs], {
      env: { ...process.env, ...this.options.env },
      detached: true, // Not ended by the Ctrl-C that is meant for the tests.
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    child.unref();
    child.on('error', () => undefined); // No pid then.
    this.#process = child.pid === undefined ? undefined : processRef(child.pid);
    if (this.#process === undefined) throw new Error(`could not start ${command}`);
    alive.add(this.#process);
  }

  /** Waits for `/readyz`; fails at once, with the end of the log, when the process has ended. */
  async ready(timeoutMs = readyMsMax): Promise<void> {
    try {
      await until(
        `agent of ${this.options.site} to be ready`,
        async () => {
          if (this.state === 'gone') throw new Error(`agent of ${this.options.site} ended`);
          return (await this.get('/readyz').catch(() => undefined))?.status === 200;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${this.logTail()}`, { cause: error });
    }
  }

  /** An HTTP request to it, bounded in time. */
  get(where: string, timeoutMs = 5_000): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const request = http.get(
        `http://${this.http}${where}`,
        { signal, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => (text += part));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', reject);
        },
      );
      request.on('error', reject);
    });
  }

  logTail(): string {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n');
    return [`${this.logFile}:`, ...lines.slice(-logTailLines)].join('\n  ');
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.#end((ref) => killProcess(ref, systemClock));
  }

  /**
   * SIGTERM, as an operator would; killed when it has not drained in time. Throws when its log
   * holds what is no event: a warning of Node's, such as of listeners that pile up, or a bare
   * stack trace.
   */
  async stop(graceMs = 15_000): Promise<void> {
    if (this.#process === undefined) return;
    await this.#end((ref) => stopProcess(ref, graceMs, systemClock));
    const stray = strayLines(readFileSync(this.logFile, 'utf8'));
    if (stray.length > 0) throw new Error(`${this.logFile} holds\n  ${stray.join('\n  ')}`);
  }

  async freeze(): Promise<void> {
    this.#signal('SIGSTOP');
    await until('the agent to be frozen', () => this.state === 'frozen');
  }

  async thaw(): Promise<void> {
    this.#signal('SIGCONT');
    await until('the agent to be thawed', () => this.state !== 'frozen');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #signal(signal: NodeJS.Signals): void {
    const isThere = this.#process !== undefined && signalProcess(this.#process, signal);
    if (!isThere) throw new Error(`agent of ${this.options.site} is gone`);
  }

  async #end(how: (ref: ProcessRef) => Promise<void>): Promise<void> {
    const ref = this.#process;
    if (ref === undefined) return;
    await how(ref);
    alive.delete(ref);
    this.#process = undefined;
  }
}
