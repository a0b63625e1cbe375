/**
 * A member of a consumer group, of any family of clients, that reads only what it is told to and
 * stays in the group meanwhile: so that what was read, and where it was committed, is known to the
 * record. Those of other languages are processes: test/clients/java/Consume.java and
 * test/clients/python/consume.py.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import kafkajs, { type Consumer } from 'kafkajs';
import { tied } from '../../src/sandbox/run-program.ts';
import { javaClients, pythonWithConfluentKafka } from './tools.ts';
import { until } from './until.ts';

export const memberFamilies = [
  'java classic',
  'java KIP-848',
  'java transactional',
  'librdkafka',
  'kafkajs',
] as const;
export type MemberFamily = (typeof memberFamilies)[number];

export interface MemberRequest {
  readonly brokers: readonly string[];
  /** Of the Java clients. */
  readonly kafkaVersion: string;
  readonly group: string;
  /** Of the whole names of topics. */
  readonly pattern: string;
}

export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
}

export interface GroupMember extends AsyncDisposable {
  /** Reads so many, and commits them. */
  read(count: number): Promise<readonly ReadRecord[]>;
  /** Leaves the group. */
  leave(): Promise<void>;
}

const joinMsMax = 40_000;
const readMsMax = 40_000;

/** Resolves when it has partitions. */
export async function joinGroup(
  family: MemberFamily,
  request: MemberRequest,
): Promise<GroupMember> {
  if (family === 'kafkajs') return KafkajsMember.join(request);
  const member = new ForeignMember(family, await memberCommand(family, request));
  try {
    await until(`a member of ${request.group} to join`, () => member.hasJoined, joinMsMax);
    return member;
  } catch (error) {
    await member.kill();
    throw error;
  }
}

async function memberCommand(
  family: Exclude<MemberFamily, 'kafkajs'>,
  { brokers, kafkaVersion, group, pattern }: MemberRequest,
): Promise<[string, ...string[]]> {
  const servers = brokers.join();
  if (family === 'librdkafka') {
    const clients = path.join(path.dirname(import.meta.dirname), 'clients', 'python');
    const program = path.join(clients, 'consume.py');
    return [await pythonWithConfluentKafka(), program, servers, group, pattern];
  }
  const kinds = {
    'java classic': 'classic',
    'java KIP-848': 'consumer',
    'java transactional': 'transactional',
  } as const;
  return [...(await javaClients(kafkaVersion)), 'Consume', servers, group, kinds[family], pattern];
}

class ForeignMember implements GroupMember {
  hasJoined = false;
  readonly #family: MemberFamily;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #said: string[] = [];
  #read: ReadRecord[] = [];
  #answer: ((records: readonly ReadRecord[]) => void) | undefined;

  constructor(family: MemberFamily, command: readonly [string, ...string[]]) {
    this.#family = family;
    const [program, ...args] = tied(command, process.env);
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#ended = once(this.#process, 'close').then(([code]) => code as number | null);
    this.#process.stdin!.on('error', () => undefined); // It has ended: that is told by #ended.
    createInterface(this.#process.stdout!).on('line', (line) => this.#take(line));
    createInterface(this.#process.stderr!).on('line', (line) => this.#said.push(line));
  }

  async read(count: number): Promise<readonly ReadRecord[]> {
    const answered = new Promise<readonly ReadRecord[]>((resolve) => (this.#answer = resolve));
    this.#process.stdin!.write(`read ${count}\n`);
    return this.#inTime(answered, `to read ${count} records`);
  }

  async leave(): Promise<void> {
    this.#process.stdin!.end();
    const code = await this.#inTime(this.#ended, 'to leave its group');
    if (code !== 0) throw new Error(`${this.#family} member ended with ${code}: ${this.#tail()}`);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #take(line: string): void {
    const [word, topic = '', partition, offset, value = ''] = line.split('\t');
    if (word === 'record') {
      this.#read.push({ topic, partition: Number(partition), offset: Number(offset), value });
    } else if (word === 'ok') {
      const read = this.#read;
      this.#read = [];
      this.#answer?.(read);
    } else if (word === 'joined') this.hasJoined = true;
    else this.#said.push(line);
  }

  async #inTime<T>(promise: Promise<T>, what: string): Promise<T> {
    let done: { readonly value: T } | undefined;
    void promise.then((value) => (done = { value }));
    let code: number | null | undefined;
    void this.#ended.then((ended) => (code = ended));
    const waited = `a ${this.#family} member ${what}`;
    const { value } = await until(
      waited,
      () => {
        if (done === undefined && code !== undefined) {
          throw new Error(`${waited}, but it ended with ${code}: ${this.#tail()}`);
        }
        return done;
      },
      readMsMax,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${this.#tail()}`, { cause: error });
    });
    return value;
  }

  #tail(): string {
    return this.#said.slice(-10).join('\n');
  }
}

class KafkajsMember implements GroupMember {
  readonly #consumer: Consumer;
  #read: ReadRecord[] = [];
  #wanted = 0;
  #resume: (() => void)[] = [];
  #hasLeft = false;

  private constructor(consumer: Consumer) {
    this.#consumer = consumer;
  }

  static async join({ brokers, group, pattern }: MemberRequest): Promise<KafkajsMember> {
    const { Kafka, logLevel } = kafkajs;
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 500 });
    const member = new KafkajsMember(consumer);
    let hasJoined = false;
    consumer.on(consumer.events.GROUP_JOIN, () => (hasJoined = true));
    await consumer.connect();
    await consumer.subscribe({ topics: [new RegExp(pattern)], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => {
        const { topic, partition, messages } = payload.batch;
        for (const { offset, value } of messages) {
          if (member.#wanted === 0) {
            member.#resume.push(payload.pause());
            return;
          }
          member.#wanted -= 1;
          payload.resolveOffset(offset);
          const next = String(BigInt(offset) + 1n);
          await consumer.commitOffsets([{ topic, partition, offset: next }]);
          const text = value?.toString() ?? '';
          member.#read.push({ topic, partition, offset: Number(offset), value: text });
        }
      },
    });
    await until(`a member of ${group} to join`, () => hasJoined, joinMsMax);
    return member;
  }

  async read(count: number): Promise<readonly ReadRecord[]> {
    this.#read = [];
    this.#wanted = count;
    for (const resume of this.#resume.splice(0)) resume();
    const isRead = (): boolean => this.#read.length === count;
    await until(`a kafkajs member to read ${count} records`, isRead, readMsMax);
    return this.#read;
  }

  async leave(): Promise<void> {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    await this.#consumer.disconnect();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}
