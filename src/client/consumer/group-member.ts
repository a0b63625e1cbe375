/**
 * One kafkajs consumer from joining the group to leaving it. It is not used again: kafkajs restarts
 * a consumer that was stopped while it joined, so whatever went wrong is mended by a new one.
 *
 * Invariant: an offset is committed only when the handler has returned for every record before it;
 * and once leaving has begun no record is handed to the handler.
 */
import type {
  Consumer,
  ConsumerConfig,
  ConsumerRunConfig,
  EachBatchPayload,
  EachMessagePayload,
  Kafka,
} from 'kafkajs';
import type { Clock } from '../../base/clock.ts';
import { MeshError, toError } from '../../base/errors.ts';
import { birthOf } from './birth.ts';
import type { RunOptions } from './handlers.ts';
import type { TopicNames } from './topic-names.ts';

export interface GroupMemberOptions {
  readonly group: string;
  readonly site: string;
  readonly kafka: Kafka;
  readonly topics: readonly string[];
  readonly names: TopicNames;
  readonly config: Omit<ConsumerConfig, 'groupId' | 'allowAutoTopicCreation'>;
  readonly handlers: RunOptions;
  /** The site has answered. */
  readonly onContact: () => void;
  readonly onJoined: () => void;
  readonly onHandled: (records: number) => void;
  readonly onHandlerError: (error: Error) => void;
}

/**
 * A rebalance is noticed between two fetches only, partitions that were added when metadata are
 * old: kafkajs' own five seconds and five minutes are long.
 */
const defaults = { maxWaitTimeInMs: 500, metadataMaxAge: 10_000 };

export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #clock: Clock;
  readonly #consumer: Consumer;
  #started: Promise<void> | undefined;
  #crash: (error: Error) => void = () => undefined;
  #isClosed = false;
  #busy = 0;
  #onIdle: () => void = () => undefined;
  /** Resolves when kafkajs has given up, with why. */
  readonly crashed: Promise<Error>;

  constructor(options: GroupMemberOptions, clock: Clock) {
    const { group, kafka, config } = options;
    this.#options = options;
    this.#clock = clock;
    this.#consumer = kafka.consumer({
      ...defaults,
      ...config,
      groupId: group,
      // Else a subscription would make topics, and a copy that nobody writes to.
      allowAutoTopicCreation: false,
      retry: { ...config.retry, restartOnFailure: () => Promise.resolve(false) },
    });
    this.crashed = new Promise((resolve) => {
      this.#crash = resolve;
    });
  }

  /** Connects, subscribes and joins. What fails is told by `crashed`. */
  async start(): Promise<void> {
    this.#started = this.#start();
    await this.#started;
  }

  /**
   * Lets the handler finish, commits, leaves; a site that does not answer is left after `graceMs`
   * of waiting for it, without.
   */
  async leave(graceMs: number): Promise<void> {
    const gone = this.#disconnect();
    this.#isClosed = true;
    await this.#idle();
    const late = new AbortController();
    const timer = this.#clock.sleep(graceMs, late.signal).catch(() => undefined);
    await Promise.race([gone, timer]);
    late.abort();
  }

  async #start(): Promise<void> {
    const { topics, onContact, onJoined } = this.#options;
    const consumer = this.#consumer;
    const { events } = consumer;
    for (const event of [events.HEARTBEAT, events.COMMIT_OFFSETS, events.START_BATCH_PROCESS]) {
      // One call for events of several kinds: the type wants one kind each.
      consumer.on(event as typeof events.HEARTBEAT, onContact);
    }
    consumer.on(events.GROUP_JOIN, () => {
      onContact();
      onJoined();
    });
    consumer.on(events.CRASH, ({ payload }) => this.#crash(payload.error));
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run(this.#runConfig());
    } catch (error) {
      this.#crash(toError(error));
    }
  }

  /** Stopped while it joins, a kafkajs consumer would run on: so not before that has ended. */
  async #disconnect(): Promise<void> {
    await this.#started;
    await this.#consumer.disconnect().catch(() => undefined);
  }

  async #idle(): Promise<void> {
    while (this.#busy > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  #runConfig(): ConsumerRunConfig {
    const { eachMessage, eachBatch, ...rest } = this.#options.handlers;
    const { partitionsConsumedConcurrently = 1, autoCommitInterval, autoCommitThreshold } = rest;
    return {
      autoCommit: true,
      autoCommitInterval: autoCommitInterval ?? null,
      autoCommitThreshold: autoCommitThreshold ?? null,
      partitionsConsumedConcurrently,
      // It counts a batch as handled although the handler has returned early, because of a stop.
      eachBatchAutoResolve: false,
      ...(eachMessage && { eachMessage: (payload) => this.#message(payload) }),
      ...(eachBatch && { eachBatch: (payload) => this.#batch(payload) }),
    };
  }

  async #message(payload: EachMessagePayload): Promise<void> {
    const { site, handlers, onHandled } = this.#options;
    const { topic, partition, message } = payload;
    const { hops, name } = this.#options.names.born(topic);
    const birth = () => birthOf(message, { site, topic, partition, hops });
    await this.#handle(async () => {
      await handlers.eachMessage?.({ ...payload, site, bornAs: name, birth });
      onHandled(1);
    });
  }

  async #batch(payload: EachBatchPayload): Promise<void> {
    const { site, handlers, onHandled } = this.#options;
    const { batch } = payload;
    const { topic, partition } = batch;
    const { hops, name } = this.#options.names.born(topic);
    // A handler that was told to stop may have returned before the end of the batch.
    let isCutShort = false;
    const told = (stop: boolean): boolean => (isCutShort ||= stop);
    await this.#handle(async () => {
      await handlers.eachBatch?.({
        ...payload,
        isRunning: () => !told(!payload.isRunning()),
        isStale: () => told(payload.isStale()),
        site,
        bornAs: name,
        birth: (message) => birthOf(message, { site, topic, partition, hops }),
      });
      onHandled(batch.messages.length);
      const isAll = handlers.eachBatchAutoResolve ?? true;
      if (isAll && !isCutShort) payload.resolveOffset(batch.lastOffset());
    });
  }

  async #handle(work: () => Promise<void>): Promise<void> {
    if (this.#isClosed) throw new MeshError('aborted', 'the consumer has left the site');
    this.#busy += 1;
    try {
      await work();
    } catch (error) {
      this.#options.onHandlerError(toError(error));
      throw error;
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#onIdle();
    }
  }
}
