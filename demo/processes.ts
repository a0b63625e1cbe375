/** The demo's agents and commands: the built command line, as processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const cli = path.join(path.dirname(import.meta.dirname), 'bin', 'causeway');

export class DemoAgent {
  readonly #site: string;
  readonly #dir: string;
  readonly #http: string;
  #child: ChildProcess | undefined;

  constructor(site: string, dir: string, http: string) {
    this.#site = site;
    this.#dir = dir;
    this.#http = http;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when `/readyz` says so. */
  async start(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true });
    const log = openSync(path.join(this.#dir, `agent-${this.#site}.log`), 'a');
    const args = ['agent', '--site', this.#site, '--topology', path.join(this.#dir, 'mesh.yaml')];
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', log, log] });
    this.#child = child;
    const deadline = performance.now() + 60_000;
    for (;;) {
      if (await isReady(this.#http)) return;
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(
          `agent ${this.#site} did not become ready: see agent-${this.#site}.log in ${this.#dir}`,
        );
      }
      await sleep(100);
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}

async function isReady(http: string): Promise<boolean> {
  try {
    return (await fetch(`http://${http}/readyz`)).ok;
  } catch {
    return false;
  }
}

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function causeway(args: readonly string[]): Promise<CommandResult> {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { out: '', err: '' };
  child.stdout.on('data', (bytes: Buffer) => (texts.out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (texts.err += bytes.toString()));
  // Events carry what Node documents for `close`.
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, ...texts };
}
