/**
 * A producer of another family of clients as a process of its own, told what to do over its
 * standard input: test/clients/java/Produce.java and test/clients/python/produce.py (librdkafka).
 *
 * Orders, big-endian: `o` id i32, settings text; `u` id i32, topic text; `s` partition i32,
 * timestamp i64, key, value, header count i32, (name, value)*; `f` flush; `b`, `c`, `a` begin,
 * commit, abort. Texts and bytes have their length before them, i32, -1 for null.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import { tied } from '../../src/sandbox/run-program.ts';
import { brokersOf, kafkaVersions, type TestSite } from './clusters.ts';
import { javaClients, pythonWithConfluentKafka } from './tools.ts';

export type ClientFamily = 'java' | 'librdkafka';

export interface PlacedRecord extends PlainRecord {
  readonly partition: number;
}

const python = path.join(path.dirname(import.meta.dirname), 'clients', 'python');

/** What runs a program of that family that speaks the version of Kafka of that site. */
export async function clientCommand(
  family: ClientFamily,
  program: 'produce' | 'digest',
  site: TestSite,
): Promise<[string, ...string[]]> {
  if (family === 'librdkafka') {
    return [await pythonWithConfluentKafka(), path.join(python, `${program}.py`)];
  }
  const className = program === 'produce' ? 'Produce' : 'Digest';
  return [...(await javaClients(kafkaVersions[site])), className];
}

/** Settings have the same names in both families unless they are told per family. */
export type ProducerSettings = Readonly<Record<string, string | number>>;

const recordBytesMax: Readonly<Record<ClientFamily, ProducerSettings>> = {
  java: { 'max.request.size': 4_000_000 },
  librdkafka: { 'message.max.bytes': 4_000_000 },
};

export class ForeignProducer implements AsyncDisposable {
  readonly family: ClientFamily;
  readonly #site: TestSite;
  readonly #process: ChildProcess;
  readonly #answers: (() => void)[] = [];
  readonly #output: string[] = [];
  readonly #ended: Promise<number | null>;

  private constructor(
    family: ClientFamily,
    site: TestSite,
    command: readonly [string, ...string[]],
  ) {
    const [program, ...args] = tied(command, process.env);
    this.family = family;
    this.#site = site;
    this.#process = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#ended = once(this.#process, 'close').then(([code]) => code as number | null);
    this.#process.stdin!.on('error', () => undefined); // It has ended: that is told by #ended.
    createInterface(this.#process.stdout!).on('line', (line) => {
      if (line === 'ok') this.#answers.shift()?.();
      else this.#output.push(line);
    });
    createInterface(this.#process.stderr!).on('line', (line) => this.#output.push(line));
  }

  static async start(family: ClientFamily, site: TestSite): Promise<ForeignProducer> {
    return new ForeignProducer(family, site, await clientCommand(family, 'produce', site));
  }

  /** A producer with these settings, to be named by `id` from now on. */
  async open(id: number, settings: ProducerSettings): Promise<void> {
    const all = {
      'bootstrap.servers': brokersOf(this.#site).join(),
      ...recordBytesMax[this.family],
      ...settings,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}=${value}`);
    await this.#order('o', int32(id), sized(Buffer.from(lines.join('\n'))));
  }

  /** What follows is done by that producer, and sent to that topic. */
  async use(id: number, topic: string): Promise<void> {
    await this.#order('u', int32(id), sized(Buffer.from(topic)));
  }

  /** Hands records over; they are acknowledged after `flush` only. */
  async send(records: readonly PlacedRecord[]): Promise<void> {
    for (let from = 0; from < records.length; from += 500) {
      const parts = records.slice(from, from + 500).flatMap(encoded);
      if (this.#process.stdin!.write(Buffer.concat(parts))) continue;
      await Promise.race([once(this.#process.stdin!, 'drain'), this.#failed()]);
    }
  }

  flush(): Promise<void> {
    return this.#order('f');
  }

  begin(): Promise<void> {
    return this.#order('b');
  }

  commit(): Promise<void> {
    return this.#order('c');
  }

  abort(): Promise<void> {
    return this.#order('a');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin!.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 20_000);
    await this.#ended;
    clearTimeout(timer);
  }

  async #order(order: string, ...parts: Buffer[]): Promise<void> {
    const answered = new Promise<void>((resolve) => this.#answers.push(resolve));
    this.#process.stdin!.write(Buffer.concat([Buffer.from(order), ...parts]));
    await Promise.race([answered, this.#failed()]);
  }

  async #failed(): Promise<never> {
    const code = await this.#ended;
    throw new Error(`${this.family} producer ended with ${code}: ${this.#output.join('\n')}`);
  }
}

function encoded({ partition, timestampMs, key, value, headers = [] }: PlacedRecord): Buffer[] {
  const head = Buffer.alloc(13);
  head.write('s');
  head.writeInt32BE(partition, 1);
  head.writeBigInt64BE(BigInt(timestampMs), 5);
  const parts = [head, sized(key), sized(value), int32(headers.length)];
  for (const header of headers) parts.push(sized(header.key), sized(header.value));
  return parts;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The bytes with their length before them; -1 for null. */
export function sized(bytes: Buffer | null): Buffer {
  return bytes === null ? int32(-1) : Buffer.concat([int32(bytes.length), bytes]);
}
