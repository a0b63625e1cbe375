/**
 * Keeps the remote topics of one flow as their sources want them: makes them before the first
 * record, grows their partitions, never shrinks or deletes anything.
 *
 * Invariant: a partition is carried only once it is there at the target, so partitions grow
 * target-first whatever the timing. What is refused for one topic is no hindrance for the others.
 */
import { errorMessage, isMeshError } from '../base/errors.ts';
import type {
  ClusterMetadata,
  NewTopic,
  TopicConfigEntry,
  TopicMetadata,
} from '../kafka/cluster.ts';
import { kafkaErrorName, topicAlreadyExists } from '../kafka/codes.ts';
import { stateTopics } from '../kafka/internal-topics.ts';
import { replicationFactor } from '../kafka/replication-factor.ts';
import { carriedTopic } from '../topology/carried.ts';
import type { FlowContext } from './flow-context.ts';
import { remoteConfigs } from './remote-configs.ts';
import type { TopicOwnership } from './topic-ownership.ts';

export interface CarriedTopic {
  readonly topic: string;
  readonly remoteTopic: string;
  /** Partitions that are there on both sides: may be copied now. */
  readonly partitions: number;
  /** Why not all of it can be carried; empty when it can. */
  readonly why: string;
}

interface Wanted {
  readonly source: TopicMetadata;
  readonly remoteTopic: string;
}

interface Settled {
  readonly source: ClusterMetadata | undefined;
  readonly target: ClusterMetadata | undefined;
  readonly carried: readonly CarriedTopic[];
}

interface Refusal {
  readonly why: string;
  readonly retryAtMs: number;
}

/** Rounds until what was refused is tried again. */
const retryRounds = 10;
/** In one request: beyond some ten thousand the controller refuses it. */
const partitionsPerRequest = 2_000;
const invalidPartitions = 37;

export class TopicUpkeep {
  readonly #context: FlowContext;
  readonly #ownership: TopicOwnership;
  readonly #refused = new Map<string, Refusal>();
  /** A round that left nothing to do, and what it saw: while that is all the same it holds. */
  #settled: Settled | undefined;

  constructor(context: FlowContext, ownership: TopicOwnership) {
    this.#context = context;
    this.#ownership = ownership;
  }

  /** One round: what is carried now, after what was missing at the target has been made. */
  async round(): Promise<readonly CarriedTopic[]> {
    const { source, target } = this.#context;
    const seen = source.current;
    const settled = this.#settled;
    const isSame = settled?.source === seen && settled?.target === target.current;
    if (isSame && settled !== undefined && this.#refused.size === 0) return settled.carried;
    const wanted = this.#wanted();
    const names = new Set(wanted.map(({ remoteTopic }) => remoteTopic));
    for (const name of this.#refused.keys()) if (!names.has(name)) this.#refused.delete(name);
    await this.#create(
      wanted.filter(({ remoteTopic }) => {
        return this.#remote(remoteTopic) === undefined && this.#isDue(remoteTopic);
      }),
    );
    await this.#growAll(wanted);
    const carried = wanted.map((one) => this.#carried(one));
    const isWhole = wanted.every((one, at) => {
      return carried[at]?.partitions === one.source.partitions.length;
    });
    this.#settled = isWhole ? { source: seen, target: target.current, carried } : undefined;
    return carried;
  }

  #carried({ source, remoteTopic }: Wanted): CarriedTopic {
    const there = this.#remote(remoteTopic)?.partitions.length ?? 0;
    return {
      topic: source.name,
      remoteTopic,
      partitions: Math.min(source.partitions.length, there),
      why: this.#refused.get(remoteTopic)?.why ?? '',
    };
  }

  /** What was refused is tried again in the next round. */
  retryNow(): void {
    for (const [name, { why }] of this.#refused) this.#refused.set(name, { why, retryAtMs: 0 });
  }

  #wanted(): Wanted[] {
    const { source, settings, topology } = this.#context;
    const wanted: Wanted[] = [];
    for (const topic of source.current?.topics.values() ?? []) {
      if (topic.isInternal) continue;
      const answer = carriedTopic(settings, topology, topic.name);
      if (answer.carried) wanted.push({ source: topic, remoteTopic: answer.remoteTopic });
    }
    return wanted;
  }

  #remote(name: string): TopicMetadata | undefined {
    return this.#context.target.topic(name);
  }

  #isDue(remoteTopic: string): boolean {
    const retryAtMs = this.#refused.get(remoteTopic)?.retryAtMs ?? 0;
    return this.#context.deps.clock.monotonicMs() >= retryAtMs;
  }

  #refuse(remoteTopic: string, why: string): void {
    const { deps, timings, settings, onEvent } = this.#context;
    const isNew = this.#refused.get(remoteTopic)?.why !== why;
    const retryAtMs = deps.clock.monotonicMs() + retryRounds * timings.upkeepMs;
    this.#refused.set(remoteTopic, { why, retryAtMs });
    if (!isNew) return;
    const about = { flow: settings.id, topic: remoteTopic, partition: -1 };
    onEvent({ kind: 'topic_blocked', ...about, text: why });
  }

  async #create(missing: readonly Wanted[]): Promise<void> {
    if (missing.length === 0) return;
    const { source, target } = this.#context;
    const names = missing.map((topic) => topic.source.name);
    const [configs, known] = await Promise.all([
      source.cluster.tryTopicConfigs(names),
      this.#knownConfigs(),
    ]);
    const topics: NewTopic[] = [];
    for (const wanted of missing) {
      const entries = configs.get(wanted.source.name);
      if (Array.isArray(entries)) topics.push(this.#newTopic(wanted, entries, known));
      else if (isMeshError(entries)) this.#refuse(wanted.remoteTopic, entries.message);
    }
    for (const some of inRequests(topics)) {
      for (const result of await target.cluster.createTopics(some)) this.#onCreated(result);
    }
    await target.refresh();
  }

  #newTopic(
    { source, remoteTopic }: Wanted,
    entries: readonly TopicConfigEntry[],
    known: ReadonlySet<string>,
  ): NewTopic {
    const { configs } = this.#context.settings.sync;
    return {
      name: remoteTopic,
      partitions: source.partitions.length,
      replicationFactor: this.#replicationFactor(),
      configs: remoteConfigs(entries, known, configs === false ? followAll : configs),
    };
  }

  /** The settings that the target's brokers know: those that any topic of theirs has. */
  async #knownConfigs(): Promise<ReadonlySet<string>> {
    const { cluster } = this.#context.target;
    const entries = (await cluster.topicConfigs([stateTopics.fences])).get(stateTopics.fences);
    return new Set(entries?.map(({ name }) => name));
  }

  #onCreated(result: { name: string; errorCode: number; errorMessage: string }): void {
    const { deps, settings } = this.#context;
    const { name, errorCode } = result;
    if (errorCode !== 0 && errorCode !== topicAlreadyExists) {
      this.#refuse(name, createRefusal(errorCode, result.errorMessage));
      return;
    }
    this.#refused.delete(name);
    if (errorCode === 0) deps.log.info({ flow: settings.id, topic: name }, 'remote topic made');
  }

  async #growAll(wanted: readonly Wanted[]): Promise<void> {
    const small = wanted.flatMap(({ source, remoteTopic }) => {
      const remote = this.#remote(remoteTopic);
      if (remote === undefined) return [];
      if (remote.partitions.length >= source.partitions.length) this.#refused.delete(remoteTopic);
      else if (this.#isDue(remoteTopic)) return [{ topic: source.name, remote, source }];
      return [];
    });
    if (small.length === 0) return;
    const ours = await this.#ownership.ours(small);
    for (const { remote, source } of small) {
      const total = source.partitions.length;
      if (ours.has(remote.name)) await this.#grow(remote.name, total);
      else {
        const why = `has ${remote.partitions.length} of ${total} partitions, and records that are`;
        this.#refuse(remote.name, `${why} not ours: left as it is`);
      }
    }
  }

  async #grow(remoteTopic: string, total: number): Promise<void> {
    const { target, deps, settings } = this.#context;
    try {
      await target.cluster.createPartitions(remoteTopic, total);
      deps.log.info({ flow: settings.id, topic: remoteTopic, total }, 'partitions added');
    } catch (error) {
      if (isMeshError(error) && error.retriable) throw error;
      // Another agent of the site was faster: the metadata will tell.
      const isThere = isMeshError(error) && error.details['errorCode'] === invalidPartitions;
      if (!isThere) {
        this.#refuse(remoteTopic, `partitions cannot be added: ${errorMessage(error)}`);
      }
    }
    await target.refresh();
  }

  #replicationFactor(): number {
    const { topology, settings, target } = this.#context;
    const declared = topology.sites.get(settings.to)?.kafka.replicationFactor;
    return replicationFactor(declared, settings.to, target.current);
  }
}

const followAll = { include: ['.*'], exclude: [] };

/** Parts small enough to be taken in one request. */
function* inRequests(topics: readonly NewTopic[]): Iterable<readonly NewTopic[]> {
  let some: NewTopic[] = [];
  let partitions = 0;
  for (const topic of topics) {
    if (some.length > 0 && partitions + topic.partitions > partitionsPerRequest) {
      yield some;
      some = [];
      partitions = 0;
    }
    some.push(topic);
    partitions += topic.partitions;
  }
  if (some.length > 0) yield some;
}

function createRefusal(errorCode: number, text: string): string {
  if (errorCode === 17 && text.includes('collides')) {
    return `its name collides with a topic that is there ("." and "_" are one to Kafka): ${text}`;
  }
  if (errorCode === 29 || errorCode === 31) return `no permission to create it: ${text}`;
  return `cannot be made: ${kafkaErrorName(errorCode)} (${errorCode}): ${text}`;
}
