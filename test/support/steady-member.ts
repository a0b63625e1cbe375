/**
 * A member of a consumer group as a process of its own, of kafkajs or of librdkafka, that dies with
 * its datacenter when it is killed. What it has read and what it has committed is known from what
 * it says: see test/clients/node/consume.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { tied } from '../../src/sandbox/run-program.ts';
import { pythonWithConfluentKafka } from './tools.ts';

export type MemberClient = 'kafkajs' | 'librdkafka';

export interface MemberOptions {
  readonly client: MemberClient;
  readonly brokers: readonly string[];
  readonly group: string;
  readonly topics: readonly string[];
  /** 0: as fast as it can. */
  readonly perSecond: number;
  readonly commitMs: number;
}

export interface ReadRecord {
  /** `topic/partition`, as it is named where it was read. */
  readonly log: string;
  readonly offset: number;
  readonly number: number;
}

export interface Committed {
  readonly offset: number;
  readonly atMs: number;
}

const clients = path.join(path.dirname(import.meta.dirname), 'clients');
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

async function programOf(client: MemberClient): Promise<[string, ...string[]]> {
  if (client === 'kafkajs') {
    return [process.execPath, '--import', 'tsx', path.join(clients, 'node', 'consume.ts')];
  }
  return [await pythonWithConfluentKafka(), path.join(clients, 'python', 'consume_steadily.py')];
}

export class SteadyMember {
  readonly read: ReadRecord[] = [];
  /** The last number read, by `topic/partition`. */
  readonly last = new Map<string, number>();
  /** By `topic/partition`, the oldest first. */
  readonly commits = new Map<string, Committed[]>();
  readonly #process: ChildProcess;
  readonly #said: Promise<unknown>;
  #errors = '';

  private constructor(command: readonly [string, ...string[]]) {
    const [program, ...args] = tied(command, process.env);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    alive.add(child);
    const lines = createInterface(child.stdout);
    lines.on('line', (line) => this.#take(line));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    this.#said = Promise.all([once(lines, 'close'), once(child, 'close')]);
  }

  static async start(options: MemberOptions): Promise<SteadyMember> {
    const { client, brokers, group, topics, perSecond, commitMs } = options;
    const program = await programOf(client);
    const numbers = [perSecond, commitMs].map(String);
    return new SteadyMember([...program, brokers.join(), group, topics.join(), ...numbers]);
  }

  /** @throws Error when it has ended by itself */
  check(): void {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) return;
    throw new Error(`a member ended (${exitCode ?? signalCode ?? ''}): ${this.#errors}`);
  }

  /** `kill -9`; resolves when all that it said has been heard. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended();
  }

  /**
   * It commits what it has read and leaves.
   * @throws Error when it could not
   */
  async leave(): Promise<void> {
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 20_000);
    await this.#ended();
    clearTimeout(timer);
    const { exitCode } = this.#process;
    if (exitCode !== 0) throw new Error(`a member ended with ${exitCode}: ${this.#errors}`);
  }

  async #ended(): Promise<void> {
    await this.#said;
    alive.delete(this.#process);
  }

  #take(line: string): void {
    const [kind, topic = '', partition = '', offset = '', number = ''] = line.split(' ');
    const log = `${topic}/${partition}`;
    if (kind === 'r') {
      this.read.push({ log, offset: Number(offset), number: Number(number) });
      this.last.set(log, Number(number));
    } else if (kind === 'c') {
      const commits = this.commits.get(log) ?? [];
      commits.push({ offset: Number(offset), atMs: performance.now() });
      this.commits.set(log, commits);
    } else throw new Error(`a member said ${line}`);
  }
}
