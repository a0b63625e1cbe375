/** One Kafka cluster over our own connections: puts the parts of this folder behind `Cluster`. */
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import { retry } from '../base/retry.ts';
import * as acls from './acls.ts';
import * as admin from './admin.ts';
import type { ApiRequest } from './api-request.ts';
import { RawLink } from './broker-link.ts';
import type {
  BrokerLink,
  Cluster,
  ClusterMetadata,
  EpochEnd,
  EpochQuestion,
  Fence,
  FenceRequest,
  ListedOffset,
  NewTopic,
  OffsetSpec,
  TopicAcl,
  TopicMetadata,
  TopicPartition,
} from './cluster.ts';
import { isLeaderElsewhere } from './codes.ts';
import { Control } from './control.ts';
import { emptyTransaction, fence, type FenceParts } from './fence.ts';
import * as groups from './groups.ts';
import type { ClusterSettings } from './open-wire.ts';
import { LeaderBook } from './leader-book.ts';
import { MarkerWatch } from './marker-watch.ts';
import { epochEndsRequest } from './requests/leader-epoch.ts';
import { listOffsetsRequest, topicErrorRequest } from './requests/metadata.ts';

export type { ClusterSettings } from './open-wire.ts';

const leaderRetry = { attemptsMax: 8, delayMsMin: 50, delayMsMax: 1_000 };

/** @throws MeshError kafka_unavailable, kafka_authentication when no bootstrap broker lets us in */
export async function openCluster(settings: ClusterSettings, deps: Deps): Promise<KafkaCluster> {
  const control = new Control(settings, deps);
  try {
    await control.metadata([]);
  } catch (error) {
    await control[Symbol.asyncDispose]();
    throw error;
  }
  return new KafkaCluster(control);
}

export class KafkaCluster implements Cluster {
  readonly control: Control;
  readonly #leaders: LeaderBook;
  readonly #markers: MarkerWatch;
  readonly #fenceLinks = new Map<number, Promise<BrokerLink>>();

  constructor(control: Control) {
    this.control = control;
    const read = (topics: readonly string[]): Promise<ClusterMetadata> => control.metadata(topics);
    this.#leaders = new LeaderBook(read, control.deps.clock);
    const link = (brokerId: number): Promise<BrokerLink> => this.#fenceLink(brokerId);
    this.#markers = new MarkerWatch(control.name, link, control.deps);
  }

  get name(): string {
    return this.control.name;
  }

  get principal(): string | undefined {
    const { sasl } = this.control.settings;
    return sasl && `User:${sasl.username}`;
  }

  metadata(signal?: AbortSignal): Promise<ClusterMetadata> {
    return this.control.metadata(undefined, signal);
  }

  topicError(name: string): Promise<number> {
    return this.control.toAny(topicErrorRequest(name));
  }

  async topicMetadata(topic: string): Promise<TopicMetadata | undefined> {
    return (await this.control.metadata([topic])).topics.get(topic);
  }

  async openLink(brokerId: number, _purpose: string): Promise<BrokerLink> {
    return new RawLink(brokerId, await this.control.openWire(brokerId));
  }

  async listOffsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    isolation: 'read_committed' | 'read_uncommitted' = 'read_uncommitted',
  ): Promise<readonly ListedOffset[]> {
    const isCommitted = isolation === 'read_committed' || spec === 'latest_committed';
    return this.#askLeaders(
      partitions,
      (some) => listOffsetsRequest(some, spec, isCommitted),
      ({ topic, partition }, errorCode): ListedOffset => {
        return { topic, partition, errorCode, offset: -1n, timestampMs: -1, leaderEpoch: -1 };
      },
    );
  }

  epochEnds(questions: readonly EpochQuestion[]): Promise<readonly EpochEnd[]> {
    return this.#askLeaders(questions, epochEndsRequest, ({ topic, partition }, errorCode) => {
      return { topic, partition, errorCode, epoch: -1, endOffset: -1n };
    });
  }

  fence(request: FenceRequest, signal?: AbortSignal): Promise<Fence> {
    return retry(
      this.control.deps.clock,
      {
        ...leaderRetry,
        isRetriable: isStaleLeader,
        onRetry: () => this.#leaders.forget([request.topic]),
      },
      () => fence(this.#fenceParts(), request, signal),
      signal,
    );
  }

  async keepAlive(
    transactionalId: string,
    holder: { readonly producerId: bigint; readonly producerEpoch: number },
    scratch: TopicPartition,
  ): Promise<void> {
    await emptyTransaction(this.#fenceParts(), { transactionalId, ...holder }, scratch);
  }

  createTopics(topics: readonly NewTopic[]): ReturnType<typeof admin.createTopics> {
    return admin.createTopics(this.control, topics);
  }

  createPartitions(topic: string, total: number): Promise<void> {
    return admin.createPartitions(this.control, topic, total);
  }

  deleteTopics(names: readonly string[]): Promise<void> {
    return admin.deleteTopics(this.control, names);
  }

  topicConfigs(
    names: readonly string[],
    keys?: readonly string[],
  ): ReturnType<typeof admin.topicConfigs> {
    return admin.topicConfigs(this.control, names, keys);
  }

  tryTopicConfigs(
    names: readonly string[],
    keys?: readonly string[],
  ): ReturnType<typeof admin.tryTopicConfigs> {
    return admin.tryTopicConfigs(this.control, names, keys);
  }

  alterTopicConfigs(name: string, changes: Readonly<Record<string, string | null>>): Promise<void> {
    return admin.alterTopicConfigs(this.control, name, changes);
  }

  brokerConfigs(brokerId: number): ReturnType<typeof admin.brokerConfigs> {
    return admin.brokerConfigs(this.control, brokerId);
  }

  topicAcls(): ReturnType<typeof acls.topicAcls> {
    return acls.topicAcls(this.control);
  }

  createTopicAcls(wanted: readonly TopicAcl[]): Promise<void> {
    return acls.createTopicAcls(this.control, wanted);
  }

  deleteTopicAcls(unwanted: readonly TopicAcl[]): Promise<void> {
    return acls.deleteTopicAcls(this.control, unwanted);
  }

  listGroups(): ReturnType<typeof groups.listGroups> {
    return groups.listGroups(this.control);
  }

  groupOffsets(group: string): ReturnType<typeof groups.groupOffsets> {
    return groups.groupOffsets(this.control, group);
  }

  groupMembers(group: string): ReturnType<typeof groups.groupMembers> {
    return groups.groupMembers(this.control, group);
  }

  commitGroupOffsets(
    group: string,
    offsets: Parameters<typeof groups.commitGroupOffsets>[2],
  ): ReturnType<typeof groups.commitGroupOffsets> {
    return groups.commitGroupOffsets(this.control, group, offsets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#fenceLinks.values()];
    this.#fenceLinks.clear();
    for (const opening of links) {
      const link = await opening.catch(() => undefined);
      await link?.[Symbol.asyncDispose]();
    }
    await this.control[Symbol.asyncDispose]();
  }

  /**
   * One request to each leader; a second one where the leader proves to be another by now.
   * `unasked` answers for partitions that are not there or have none.
   */
  async #askLeaders<Q extends TopicPartition, A extends { readonly errorCode: number }>(
    questions: readonly Q[],
    request: (some: readonly Q[]) => ApiRequest<readonly A[]>,
    unasked: (question: Q, errorCode: number) => A,
  ): Promise<readonly A[]> {
    const topics = questions.map(({ topic }) => topic);
    try {
      const answers = await this.#askOnce(questions, request, unasked);
      if (!answers.some(({ errorCode }) => isLeaderElsewhere(errorCode))) return answers;
    } catch (error) {
      this.#leaders.forget(topics);
      throw error;
    }
    this.#leaders.forget(topics);
    return this.#askOnce(questions, request, unasked);
  }

  async #askOnce<Q extends TopicPartition, A>(
    questions: readonly Q[],
    request: (some: readonly Q[]) => ApiRequest<readonly A[]>,
    unasked: (question: Q, errorCode: number) => A,
  ): Promise<readonly A[]> {
    const byLeader = new Map<number, Q[]>();
    const answers: A[] = [];
    const leaders = await this.#leaders.of(questions.map(({ topic }) => topic));
    for (const one of questions) {
      const leader = leaders.get(one.topic)?.[one.partition];
      const some = byLeader.get(leader ?? -1);
      if (leader === undefined || leader < 0)
        answers.push(unasked(one, leader === undefined ? 3 : 5));
      else if (some === undefined) byLeader.set(leader, [one]);
      else some.push(one);
    }
    const asked = [...byLeader].map(([leader, some]) =>
      this.control.toBroker(leader, request(some)),
    );
    return [...answers, ...(await Promise.all(asked)).flat()];
  }

  #fenceParts(): FenceParts {
    return {
      control: this.control,
      leader: (partition) => this.#leader(partition),
      markers: this.#markers,
    };
  }

  async #leader({ topic, partition }: TopicPartition): Promise<number> {
    const found = (await this.#leaders.of([topic])).get(topic)?.[partition] ?? -1;
    if (found >= 0) return found;
    this.#leaders.forget([topic]);
    const text = `${topic}/${partition} of ${this.name} has no leader just now`;
    throw new MeshError('kafka_unavailable', text);
  }

  async #fenceLink(brokerId: number): Promise<BrokerLink> {
    const known = this.#fenceLinks.get(brokerId);
    const link = await known?.catch(() => undefined);
    if (link?.isOpen === true) return link;
    // Of those that fence at the same time, the first opens it.
    if (this.#fenceLinks.get(brokerId) === known) {
      this.#fenceLinks.set(brokerId, this.openLink(brokerId, 'fence'));
    }
    const opening = this.#fenceLinks.get(brokerId);
    if (opening === undefined) throw new MeshError('aborted', `${this.name}: closed`);
    return opening;
  }
}

/** Worth trying again at once: the partition's leader moved under us. */
function isStaleLeader(error: unknown): boolean {
  if (!(error instanceof MeshError) || error.code !== 'kafka_unavailable') return false;
  const { errorCode } = error.details;
  return typeof errorCode === 'number' && isLeaderElsewhere(errorCode);
}
