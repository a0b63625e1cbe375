/**
 * A consumer at one site, for as long as it is to run there: finds the topics, joins, and joins
 * anew when kafkajs gives up or topics have come; then leaves cleanly. Which site, others decide.
 */
import type { ConsumerConfig, Kafka } from 'kafkajs';
import { isAborted, type Clock } from '../../base/clock.ts';
import { isMeshError } from '../../base/errors.ts';
import { LinkedAbort } from '../../base/linked-abort.ts';
import { Backoff } from '../../base/retry.ts';
import { Contact } from './contact.ts';
import type { Running } from './decide.ts';
import type { LossEvent, StartBasis, Teller } from './events.ts';
import { GroupMember } from './group-member.ts';
import type { RunOptions } from './handlers.ts';
import { SiteAdmin } from './site-admin.ts';
import type { PartitionAt } from './start-report.ts';
import type { TopicNames } from './topic-names.ts';

export interface SiteSessionOptions {
  readonly group: string;
  readonly site: string;
  readonly basis: StartBasis;
  readonly kafka: Kafka;
  readonly names: TopicNames;
  readonly config: Omit<ConsumerConfig, 'groupId' | 'allowAutoTopicCreation'>;
  readonly handlers: RunOptions;
  readonly topicsMs: number;
  readonly staleMs: number;
  /** Before it joins for the first time. @throws MeshError when it is not to start */
  readonly prepare: (admin: SiteAdmin, topics: readonly string[]) => Promise<void>;
  /** Something has changed that decisions rest on. */
  readonly onChange: () => void;
  readonly onJoined: () => void;
  readonly onHandled: (records: number) => void;
}

export interface SiteSessionDeps {
  readonly clock: Clock;
  readonly teller: Teller;
}

/** For committing and leaving: as long as a broker may need, or hardly at all when it is silent. */
const graceMs = 10_000;
const silentGraceMs = 1_000;

export class SiteSession {
  readonly site: string;
  readonly #options: SiteSessionOptions;
  readonly #deps: SiteSessionDeps;
  readonly #contact: Contact;
  readonly #admin: SiteAdmin;
  readonly #stop = new AbortController();
  #isPrepared = false;
  #running: Promise<void> | undefined;
  #topicsRead: readonly string[] = [];
  #committed: readonly PartitionAt[] = [];
  /** Rises to `home` when agents confirm what was found without them. */
  basis: StartBasis;

  constructor(options: SiteSessionOptions, deps: SiteSessionDeps) {
    const { group, site, kafka, staleMs, onChange } = options;
    this.site = site;
    this.basis = options.basis;
    this.#options = options;
    this.#deps = deps;
    this.#admin = new SiteAdmin(site, kafka, deps.clock, this.#stop.signal);
    const ping = (): Promise<void> => this.#admin.ping();
    const { clock, teller } = deps;
    const lost = (silentMs: number): LossEvent => ({ group, site, silentMs: Math.round(silentMs) });
    const told = {
      onLost: (silentMs: number): void => {
        teller.lost(lost(silentMs));
        onChange();
      },
      onFound: (silentMs: number): void => teller.found(lost(silentMs)),
    };
    this.#contact = new Contact({ site, ping, staleMs, ...told }, { clock, log: teller.log });
  }

  /** What the group had committed when this one had left; empty when the site did not answer. */
  get committedAtStop(): readonly PartitionAt[] {
    return this.#committed;
  }

  facts(): Running {
    return { site: this.site, basis: this.basis, silentMs: this.silentMs() };
  }

  silentMs(): number {
    return this.#contact.silentMs();
  }

  /**
   * Runs until it is stopped.
   * @throws MeshError of kind operator: it is not to start, or may not read
   */
  async run(): Promise<void> {
    this.#running = this.#run(this.#stop.signal);
    await this.#running;
  }

  /** The handler has returned for the last record; what it handled is committed if it can be. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => undefined);
    if (this.silentMs() > 0 || this.#topicsRead.length === 0) return;
    const { group, kafka } = this.#options;
    const bound = new AbortController();
    const cancel = this.#deps.clock.after(graceMs, () => bound.abort());
    await using admin = new SiteAdmin(this.site, kafka, this.#deps.clock, bound.signal);
    this.#committed = await admin.committed(group, this.#topicsRead).catch(() => []);
    cancel();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, teller } = this.#deps;
    const backoff = new Backoff({ delayMsMin: 300, delayMsMax: 5_000 }, clock);
    const asking = this.#contact.run(signal);
    try {
      while (!signal.aborted) {
        try {
          if (await this.#serve(signal)) backoff.reset();
        } catch (error) {
          if (!isMeshError(error) || !error.retriable) throw error;
          if (error.code !== 'aborted') teller.failed(error, `not running at ${this.site}`);
          await backoff.wait(signal).catch(() => undefined);
        }
      }
    } finally {
      this.#stop.abort();
      await asking;
      await this.#admin[Symbol.asyncDispose]();
    }
  }

  /** One membership; true when it ended for a good reason. */
  async #serve(signal: AbortSignal): Promise<boolean> {
    const topics = await this.#topics(signal);
    if (topics === undefined) return true;
    if (!this.#isPrepared) await this.#options.prepare(this.#admin, topics);
    this.#isPrepared = true;
    if (signal.aborted) return true;
    this.#topicsRead = topics;
    const { group, site, kafka, names, config, handlers, onJoined, onHandled } = this.#options;
    const { clock, teller } = this.#deps;
    const onContact = (): void => {
      this.#contact.heard();
    };
    const onHandlerError = (error: Error): void => teller.failed(error, 'the handler failed');
    const told = { onContact, onJoined, onHandled, onHandlerError };
    const at = { group, site, kafka, topics, names, config, handlers };
    const member = new GroupMember({ ...at, ...told }, clock);
    using over = new LinkedAbort(signal);
    void member.start();
    try {
      const ended = await Promise.race([member.crashed, this.#newTopics(topics, over.signal)]);
      if (ended === undefined) return true;
      teller.failed(ended, `kafkajs has given up at ${site}`);
      return false;
    } finally {
      over.abort();
      await member.leave(this.silentMs() > 0 ? silentGraceMs : graceMs);
    }
  }

  /** Waits until there is a topic to read; undefined: it is to stop. */
  async #topics(signal: AbortSignal): Promise<readonly string[] | undefined> {
    const { topicsMs, names } = this.#options;
    while (!signal.aborted) {
      const found = names.among(await this.#admin.topics());
      this.#contact.heard();
      this.#deps.teller.waiting(
        found.length > 0 ? undefined : `no topic to read is at ${this.site} yet`,
      );
      if (found.length > 0) return found;
      await this.#deps.clock.sleep(topicsMs, signal).catch(() => undefined);
    }
    return undefined;
  }

  /** Resolves when there is a topic to read that was not there before, or on abort. */
  async #newTopics(known: readonly string[], signal: AbortSignal): Promise<undefined> {
    const { topicsMs, names } = this.#options;
    while (!signal.aborted) {
      await this.#deps.clock.sleep(topicsMs, signal).catch(() => undefined);
      if (isAborted(signal)) return;
      try {
        const found = names.among(await this.#admin.topics());
        this.#contact.heard();
        if (found.some((topic) => !known.includes(topic))) return;
      } catch (error) {
        if (!isMeshError(error)) throw error;
      }
    }
  }
}
