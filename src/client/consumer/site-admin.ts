/**
 * Questions to the Kafka of one site through the application's kafkajs client, each bounded in
 * time. What kafkajs throws becomes ours here, and in group-member.ts nowhere else.
 */
import type { Admin, Kafka } from 'kafkajs';
import { abortedError, throwIfAborted, withDeadline, type Clock } from '../../base/clock.ts';
import { errorMessage, isMeshError, MeshError } from '../../base/errors.ts';
import type { PartitionAt } from './start-report.ts';

const answerMs = 10_000;
const pingMs = 3_000;

export function kafkajsError(site: string, what: string, thrown: unknown): MeshError {
  if (isMeshError(thrown)) return thrown;
  // Errors of the protocol have a type; what it is else does not matter.
  const { type = '' } = Object(thrown) as { type?: string };
  const name = thrown instanceof Error ? thrown.name : '';
  const message = `${what} at ${site}: ${errorMessage(thrown)}`;
  if (type.endsWith('_AUTHORIZATION_FAILED')) {
    return new MeshError('kafka_authorization', message, { cause: thrown });
  }
  const isRefused = name.includes('SASL') || type === 'SASL_AUTHENTICATION_FAILED';
  const code = isRefused ? 'kafka_authentication' : 'kafka_unavailable';
  return new MeshError(code, message, { cause: thrown });
}

export class SiteAdmin implements AsyncDisposable {
  readonly site: string;
  readonly #kafka: Kafka;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #connected: Promise<Admin> | undefined;

  /** @param signal calls off what is asked */
  constructor(site: string, kafka: Kafka, clock: Clock, signal: AbortSignal) {
    this.site = site;
    this.#kafka = kafka;
    this.#clock = clock;
    this.#signal = signal;
  }

  topics(): Promise<readonly string[]> {
    return this.#ask('topics', (admin) => admin.listTopics());
  }

  /** Every partition of the topics, with what the group has committed there. */
  committed(group: string, topics: readonly string[]): Promise<readonly PartitionAt[]> {
    return this.#ask(`offsets of ${group}`, async (admin) => {
      const found = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
      return found.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => ({
          topic,
          partition,
          committed: offset.startsWith('-') ? undefined : BigInt(offset),
        })),
      );
    });
  }

  /** Members now; those of the new protocol are not seen by kafkajs, and not counted. */
  members(group: string): Promise<number> {
    return this.#ask(`members of ${group}`, async (admin) => {
      const { groups } = await admin.describeGroups([group]);
      return groups[0]?.members.length ?? 0;
    });
  }

  /** For a group without members; kafkajs needs five seconds for each topic. */
  async commit(group: string, offsets: readonly PartitionAt[]): Promise<void> {
    for (const topic of new Set(offsets.map((one) => one.topic))) {
      const partitions = offsets
        .filter((one) => one.topic === topic && one.committed !== undefined)
        .map(({ partition, committed }) => ({ partition, offset: String(committed) }));
      await this.#ask(`committing for ${group}`, (admin) =>
        admin.setOffsets({ groupId: group, topic, partitions }),
      );
    }
  }

  /** By a connection of its own, so that one which hangs says nothing. @throws MeshError */
  async ping(): Promise<void> {
    const admin = this.#kafka.admin({ retry: { retries: 0 } });
    const late = (): MeshError => new MeshError('kafka_timeout', `${this.site} did not answer`);
    const asked = admin.connect().then(() => admin.describeCluster());
    asked.catch(() => undefined);
    try {
      await withDeadline(this.#clock, pingMs, asked, late);
    } catch (error) {
      throw kafkajsError(this.site, 'asking for the cluster', error);
    } finally {
      admin.disconnect().catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#drop();
  }

  async #ask<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const late = (): MeshError =>
      new MeshError('kafka_timeout', `${what} at ${this.site}: no answer in ${answerMs / 1000} s`);
    const asked = this.#admin().then(question);
    asked.catch(() => undefined);
    try {
      return await withDeadline(this.#clock, answerMs, this.#unlessAborted(asked), late);
    } catch (error) {
      await this.#drop();
      throw kafkajsError(this.site, what, error);
    }
  }

  async #unlessAborted<T>(asked: Promise<T>): Promise<T> {
    const signal = this.#signal;
    throwIfAborted(signal);
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      onAbort = () => reject(abortedError(signal));
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([asked, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #admin(): Promise<Admin> {
    if (this.#connected === undefined) {
      const admin = this.#kafka.admin({ retry: { retries: 2 } });
      this.#connected = admin.connect().then(() => admin);
      this.#connected.catch(() => undefined);
    }
    return this.#connected;
  }

  /** The next question gets a new connection. */
  #drop(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    // Not waited for: of a dead site it would take as long as a question.
    connected?.then((admin) => admin.disconnect()).catch(() => undefined);
    return Promise.resolve();
  }
}
