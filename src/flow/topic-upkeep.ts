/**
 * Keeps the remote topics of one flow as their sources want them: makes them before the first
 * record, grows their partitions, never shrinks or deletes anything.
 *
 * Invariant: a partition is carried only once it is there at the target, so partitions grow
 * target-first whatever the timing.
 */
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { NewTopic, TopicConfigEntry, TopicMetadata } from '../kafka/cluster.ts';
import { carriedTopic } from '../topology/carried.ts';
import type { FlowContext } from './flow-context.ts';

export interface CarriedTopic {
  readonly topic: string;
  readonly remoteTopic: string;
  /** Partitions that are there on both sides: may be copied now. */
  readonly partitions: number;
  /** Why not all of it can be carried; empty when it can. */
  readonly why: string;
}

/** Room for the header that stamping adds to every record of a batch. */
const stampBytes = 64 * 1024;
const messageBytesDefault = 1_048_588;
const timestampWindowMs = '9223372036854775807';

/** Configs that belong to a cluster, or that replication decides by itself. */
const ownConfigs =
  /^(leader\.|follower\.|message\.timestamp\.|min\.insync|unclean\.|remote\.|local\.)/;
const decidedConfigs: ReadonlySet<string> = new Set([
  'compression.type',
  'max.message.bytes',
  'message.format.version',
  'message.downconversion.enable',
]);

export class TopicUpkeep {
  readonly #context: FlowContext;
  readonly #refused = new Map<string, string>();

  constructor(context: FlowContext) {
    this.#context = context;
  }

  /** One round: what is carried now, after what was missing at the target has been made. */
  async round(): Promise<readonly CarriedTopic[]> {
    const wanted = this.#wanted();
    await this.#create(wanted.filter(({ remoteTopic }) => this.#remote(remoteTopic) === undefined));
    for (const { source, remoteTopic } of wanted) await this.#grow(source, remoteTopic);
    return wanted.map(({ source, remoteTopic }) => ({
      topic: source.name,
      remoteTopic,
      partitions: Math.min(
        source.partitions.length,
        this.#remote(remoteTopic)?.partitions.length ?? 0,
      ),
      why: this.#refused.get(remoteTopic) ?? '',
    }));
  }

  #wanted(): { source: TopicMetadata; remoteTopic: string }[] {
    const { source, settings, topology } = this.#context;
    const wanted: { source: TopicMetadata; remoteTopic: string }[] = [];
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

  async #create(missing: readonly { source: TopicMetadata; remoteTopic: string }[]): Promise<void> {
    if (missing.length === 0) return;
    const { source, target, deps, settings } = this.#context;
    const configs = await source.cluster.topicConfigs(missing.map((topic) => topic.source.name));
    const topics = missing.map((topic): NewTopic => ({
      name: topic.remoteTopic,
      partitions: topic.source.partitions.length,
      replicationFactor: this.#replicationFactor(),
      configs: remoteConfigs(configs.get(topic.source.name) ?? []),
    }));
    for (const result of await target.cluster.createTopics(topics)) {
      const isThere = result.errorCode === 0 || result.errorCode === 36;
      const before = this.#refused.get(result.name);
      if (isThere) this.#refused.delete(result.name);
      else this.#refused.set(result.name, createRefusal(result.errorCode, result.errorMessage));
      const facts = { flow: settings.id, topic: result.name };
      if (result.errorCode === 0) deps.log.info(facts, 'remote topic made');
      else if (!isThere && before === undefined) {
        deps.log.warn({ ...facts, why: this.#refused.get(result.name) }, 'remote topic refused');
      }
    }
    await target.refresh();
  }

  async #grow(source: TopicMetadata, remoteTopic: string): Promise<void> {
    const remote = this.#remote(remoteTopic);
    const total = source.partitions.length;
    if (remote === undefined) return;
    if (remote.partitions.length >= total) {
      this.#refused.delete(remoteTopic);
      return;
    }
    const { target, deps, settings } = this.#context;
    try {
      await target.cluster.createPartitions(remoteTopic, total);
      this.#refused.delete(remoteTopic);
      deps.log.info({ flow: settings.id, topic: remoteTopic, total }, 'partitions added');
      await target.refresh();
    } catch (error) {
      if (isMeshError(error) && error.retriable) throw error;
      this.#refused.set(remoteTopic, `partitions cannot be added: ${errorMessage(error)}`);
    }
  }

  #replicationFactor(): number {
    const { topology, settings, target } = this.#context;
    const declared = topology.sites.get(settings.to)?.kafka.replicationFactor;
    return declared ?? Math.min(3, target.current?.brokers.size ?? 1);
  }
}

/** The source's own settings, without what belongs to its cluster, and with what copying needs. */
export function remoteConfigs(entries: readonly TopicConfigEntry[]): Record<string, string> {
  const configs: Record<string, string> = {};
  let messageBytes = messageBytesDefault;
  for (const { name, value, isDefault, isSensitive } of entries) {
    if (name === 'max.message.bytes' && value !== null) messageBytes = Number(value);
    if (isDefault || isSensitive || value === null) continue;
    if (ownConfigs.test(name) || decidedConfigs.has(name)) continue;
    configs[name] = value;
  }
  configs['max.message.bytes'] = String(messageBytes + stampBytes);
  configs['message.timestamp.type'] = 'CreateTime';
  configs['message.timestamp.before.max.ms'] = timestampWindowMs;
  configs['message.timestamp.after.max.ms'] = timestampWindowMs;
  return configs;
}

function createRefusal(errorCode: number, text: string): string {
  if (errorCode === 17) return `name refused, perhaps a collision of "." and "_": ${text}`;
  if (errorCode === 29 || errorCode === 31) return `no permission to create it: ${text}`;
  return `Kafka error ${errorCode} on creation: ${text}`;
}
