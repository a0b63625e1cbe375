/**
 * Real Kafka clusters on this machine, for the demo, the tests and the benchmarks: started, killed,
 * frozen and restarted like sites. Whatever is started is written to the state file at once, so
 * that `down`, also from another process and also after a crash of this one, finds and stops it; a
 * start that fails or is called off stops what it had started.
 */
import path from 'node:path';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import {
  formatSite,
  logFileOf,
  startBroker,
  waitUntilReady,
  type JavaContext,
} from './broker-process.ts';
import { findJava, type ToolContext } from './java-tools.ts';
import { kafkaClasspath } from './kafka-jars.ts';
import {
  killProcess,
  processState,
  signalProcess,
  stopProcess,
  waitUntilNot,
  type ProcessState,
} from './process-ref.ts';
import type { Environment } from './run-program.ts';
import { readState, writeState, type BrokerState, type SiteState } from './state-file.ts';

export interface SandboxContext {
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  readonly isTied: boolean;
  readonly onProgress: (text: string) => void;
}

export interface BrokerStatus {
  readonly id: number;
  readonly address: string;
  readonly state: ProcessState;
  readonly pid: number | undefined;
}

export interface SiteStatus {
  readonly name: string;
  readonly kafkaVersion: string;
  readonly log: string;
  readonly brokers: readonly BrokerStatus[];
}

const stopGraceMs = 8_000;
const turnMsMax = 2_000;

/** A sandbox that is there: the state file says what it holds. */
export class Sandbox implements AsyncDisposable {
  readonly dir: string;
  readonly sites: readonly SandboxSite[];
  readonly #deps: Deps;

  /** Use `openSandbox` or `findSandbox`. */
  constructor(dir: string, context: SandboxContext, deps: Deps) {
    this.dir = dir;
    this.#deps = deps;
    const state = stateOf(dir);
    this.sites = state.sites.map(({ name }) => new SandboxSite(dir, name, context, deps));
  }

  /** The topology file that was written for it. */
  get meshFile(): string {
    return path.join(this.dir, 'mesh.yaml');
  }

  /** @throws MeshError site_unknown */
  site(name: string): SandboxSite {
    const found = this.sites.find((site) => site.name === name);
    if (found !== undefined) return found;
    const known = this.sites.map((site) => site.name).join(', ');
    throw new MeshError('site_unknown', `no site ${name} in ${this.dir}; it has: ${known}`);
  }

  status(): readonly SiteStatus[] {
    return this.sites.map((site) => site.status());
  }

  /** Stops every broker, by asking and then by force; data and logs stay. */
  async down(): Promise<void> {
    const running = stateOf(this.dir).sites.flatMap(({ brokers }) =>
      brokers.flatMap((broker) => broker.process ?? []),
    );
    await Promise.all(running.map((ref) => stopProcess(ref, stopGraceMs, this.#deps.clock)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }
}

/** One site's cluster. Every verb takes all of its brokers, or the one named by its id. */
export class SandboxSite {
  readonly name: string;
  readonly #dir: string;
  readonly #context: SandboxContext;
  readonly #deps: Deps;

  constructor(dir: string, name: string, context: SandboxContext, deps: Deps) {
    this.#dir = dir;
    this.name = name;
    this.#context = context;
    this.#deps = deps;
  }

  /** `host:port` of every broker. */
  get brokers(): string[] {
    return this.#state().brokers.map(({ port }) => `localhost:${port}`);
  }

  /** `host:port` of the listeners that stand behind a proxy, for the proxy to connect to. */
  get wanListeners(): string[] {
    return this.#state().brokers.flatMap(({ wan }) =>
      wan === undefined ? [] : [`localhost:${wan.port}`],
    );
  }

  get logFile(): string {
    return logFileOf(this.#dir, this.name);
  }

  status(): SiteStatus {
    const { name, kafkaVersion, brokers } = this.#state();
    return {
      name,
      kafkaVersion,
      log: this.logFile,
      brokers: brokers.map(({ id, port, process }) => {
        const state = process === undefined ? 'gone' : processState(process);
        const pid = state === 'gone' ? undefined : process?.pid;
        return { id, address: `localhost:${port}`, state, pid };
      }),
    };
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(brokerId?: number): Promise<void> {
    await Promise.all(this.#processes(brokerId).map((ref) => killProcess(ref, this.#deps.clock)));
  }

  /** SIGSTOP: the process is there, its sockets too, and nothing answers. */
  async freeze(brokerId?: number): Promise<void> {
    await this.#turn(brokerId, 'SIGSTOP', 'running');
  }

  async thaw(brokerId?: number): Promise<void> {
    await this.#turn(brokerId, 'SIGCONT', 'frozen');
  }

  async #turn(id: number | undefined, signal: NodeJS.Signals, from: ProcessState): Promise<void> {
    const turned = this.#processes(id).filter((ref) => signalProcess(ref, signal));
    await Promise.all(turned.map((ref) => waitUntilNot(from, ref, turnMsMax, this.#deps.clock)));
  }

  /** Stops what runs, in order, starts it again on the same ports and data, waits until ready. */
  async restart(brokerId?: number): Promise<void> {
    const { clock } = this.#deps;
    const chosen = this.#processes(brokerId);
    await Promise.all(chosen.map((ref) => stopProcess(ref, stopGraceMs, clock)));
    await this.start(brokerId);
  }

  /** Starts what does not run and waits until the site is ready. */
  async start(brokerId?: number): Promise<void> {
    const java = await this.#java();
    for (const { id } of this.#chosen(brokerId)) {
      const { process } = this.#broker(id);
      if (process !== undefined && processState(process) !== 'gone') continue;
      const folder = { dir: this.#dir, site: this.#state() };
      this.#remember(id, startBroker(folder, this.#broker(id), java));
    }
    const site = this.#state();
    // Brokers that were left dead on purpose are not waited for.
    const isRunning = ({ process }: BrokerState): boolean =>
      process !== undefined && processState(process) === 'running';
    const awaited = brokerId === undefined ? site.brokers : site.brokers.filter(isRunning);
    await waitUntilReady(
      { dir: this.#dir, site: { ...site, brokers: awaited } },
      this.#deps,
      this.#context.signal,
    );
  }

  /** Writes configuration and empty logs. Called once, when the sandbox is made. */
  async format(extraConfig: Readonly<Record<string, string>>): Promise<void> {
    const folder = { dir: this.#dir, site: this.#state() };
    await formatSite(folder, extraConfig, await this.#java(), this.#context.signal);
  }

  async #java(): Promise<JavaContext> {
    const { env, isTied } = this.#context;
    const tools: ToolContext = this.#context;
    return {
      java: await findJava(tools),
      classpath: await kafkaClasspath(this.#state().kafkaVersion, tools),
      env,
      isTied,
    };
  }

  #chosen(brokerId: number | undefined): BrokerState[] {
    return brokerId === undefined ? this.#state().brokers : [this.#broker(brokerId)];
  }

  #processes(brokerId: number | undefined): NonNullable<BrokerState['process']>[] {
    return this.#chosen(brokerId).flatMap((broker) => broker.process ?? []);
  }

  #broker(id: number): BrokerState {
    const found = this.#state().brokers.find((broker) => broker.id === id);
    if (found === undefined) throw new MeshError('usage', `site ${this.name} has no broker ${id}`);
    return found;
  }

  #remember(brokerId: number, process: NonNullable<BrokerState['process']>): void {
    const state = stateOf(this.#dir);
    for (const site of state.sites) {
      if (site.name !== this.name) continue;
      for (const broker of site.brokers) if (broker.id === brokerId) broker.process = process;
    }
    writeState(this.#dir, state);
  }

  #state(): SiteState {
    const found = stateOf(this.#dir).sites.find((site) => site.name === this.name);
    if (found !== undefined) return found;
    throw new MeshError('site_unknown', `no site ${this.name} in ${this.#dir}`);
  }
}

/** @throws MeshError sandbox when there is none */
export function findSandbox(dir: string, context: SandboxContext, deps: Deps): Sandbox {
  return new Sandbox(path.resolve(dir), context, deps);
}

function stateOf(dir: string): NonNullable<ReturnType<typeof readState>> {
  const state = readState(dir);
  if (state !== undefined) return state;
  throw new MeshError('sandbox', `no sandbox in ${dir}: \`causeway sandbox up\` makes one`);
}
