/**
 * Which remote topics are ours to change: those that we have copied into, and empty ones. A topic
 * that holds somebody else's records is neither grown nor configured, whatever its name.
 */
import type { TopicMetadata } from '../kafka/cluster.ts';
import type { FlowContext } from './flow-context.ts';

export interface TopicPair {
  readonly topic: string; // the name at the source
  readonly remote: TopicMetadata;
}

export class TopicOwnership {
  readonly #context: FlowContext;
  /** Topic ids of those that have proved ours: they remain so. */
  readonly #ours = new Map<string, string>();

  constructor(context: FlowContext) {
    this.#context = context;
  }

  /** Names of the remote topics, of those given, that are ours. */
  async ours(pairs: readonly TopicPair[]): Promise<ReadonlySet<string>> {
    const unknown = pairs.filter((pair) => !this.#isKnown(pair));
    if (unknown.length > 0) {
      for (const { remote } of await this.#empty(unknown)) {
        this.#ours.set(remote.name, remote.topicId);
      }
    }
    const ours = pairs.filter(({ remote }) => this.#ours.get(remote.name) === remote.topicId);
    return new Set(ours.map(({ remote }) => remote.name));
  }

  #isKnown({ topic, remote }: TopicPair): boolean {
    if (this.#ours.get(remote.name) === remote.topicId) return true;
    const { journal, maps, settings } = this.#context;
    const flow = settings.id;
    // The journal knows of attempts, too; a map begins when what is there has proved to be ours.
    const isCopied = remote.partitions.some(({ partition }) => {
      if (maps.reader(flow, topic, partition)?.frontier === undefined) return false;
      return journal.get({ flow, topic, partition })?.targetTopicId === remote.topicId;
    });
    if (isCopied) this.#ours.set(remote.name, remote.topicId);
    return isCopied;
  }

  async #empty(pairs: readonly TopicPair[]): Promise<readonly TopicPair[]> {
    const { cluster } = this.#context.target;
    const partitions = pairs.flatMap(({ remote }) =>
      remote.partitions.map(({ partition }) => ({ topic: remote.name, partition })),
    );
    const [starts, ends] = await Promise.all([
      cluster.listOffsets(partitions, 'earliest'),
      cluster.listOffsets(partitions, 'latest'),
    ]);
    const startOf = new Map(
      starts.map((one) => [`${one.topic}/${one.partition}`, one.errorCode === 0 && one.offset]),
    );
    const inDoubt = new Set(
      ends
        .filter(({ topic, partition, errorCode, offset }) => {
          return errorCode !== 0 || startOf.get(`${topic}/${partition}`) !== offset;
        })
        .map(({ topic }) => topic),
    );
    return pairs.filter(({ remote }) => !inDoubt.has(remote.name));
  }
}
