/** A program of examples/ as a process of its own: what it says, line by line, and its end. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

export interface Said {
  readonly event: string;
  readonly what: unknown;
}

/** What a consumer says of a record that it has handled. */
export interface Handled {
  readonly at: string;
  readonly born: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly value: string;
}

const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class ExampleProcess implements AsyncDisposable {
  readonly said: Said[] = [];
  readonly handled: Handled[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #stray = '';

  /** @param onHandled told of each record as it is said, to see those of several in one order */
  constructor(
    program: string,
    env: Readonly<Record<string, string>>,
    onHandled: (one: Handled) => unknown = () => undefined,
  ) {
    const args = ['--import', 'tsx', path.join(root, 'examples', program)];
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, KAFKAJS_NO_PARTITIONER_WARNING: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    alive.add(child);
    createInterface(child.stdout).on('line', (line) => {
      // One JSON object a line, as the examples write it.
      const said = JSON.parse(line) as Said;
      if (said.event !== 'handled') {
        this.said.push(said);
        return;
      }
      this.handled.push(said.what as Handled);
      onHandled(said.what as Handled);
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (part: string) => (this.#stray += part));
    this.#ended = new Promise((resolve) => {
      child.on('close', (code) => {
        alive.delete(child);
        resolve(code);
      });
    });
  }

  /** What it has said of that kind, in order. */
  events(event: string): unknown[] {
    return this.said.filter((one) => one.event === event).map(({ what }) => what);
  }

  async says(event: string, count = 1, timeoutMs = 60_000): Promise<unknown> {
    const wanted = `${event} to be said ${count} times`;
    try {
      await until(wanted, () => this.events(event).length >= count, timeoutMs);
    } catch (cause) {
      throw new Error(`${JSON.stringify(this.said.slice(-8))}\n${this.#stray}`, { cause });
    }
    return this.events(event)[count - 1];
  }

  async ended(): Promise<{ readonly code: number | null; readonly stray: string }> {
    return { code: await this.#ended, stray: this.#stray };
  }

  /** As an operator would; killed when it has not stopped in time. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
