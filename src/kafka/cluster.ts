/**
 * What the rest of the system sees of one Kafka cluster. Everything that speaks to Kafka goes
 * through this interface; `session.ts` implements it over kafkajs and our own framing.
 *
 * All methods reject with MeshError only: `kafka_unavailable` (connection lost or refused, no
 * leader), `kafka_timeout`, `kafka_authentication`, `kafka_authorization`, `kafka_request`
 * (anything else that the broker refused; details: `{errorCode, errorName, topic?, partition?}`).
 */
import type { MeshError } from '../base/errors.ts';
import type { AbortedTransaction } from '../records/stamped-batch.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface PartitionMetadata {
  readonly partition: number;
  /** Broker id of the leader; -1: there is none just now. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
}

export interface TopicMetadata {
  readonly name: string;
  /** 22 characters, base64url of Kafka's topic id; changes when the topic is made anew. */
  readonly topicId: string;
  readonly isInternal: boolean;
  readonly partitions: readonly PartitionMetadata[]; // by partition number
}

export interface ClusterMetadata {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly brokers: ReadonlyMap<number, { readonly host: string; readonly port: number }>;
  readonly topics: ReadonlyMap<string, TopicMetadata>;
}

export interface FetchPartition extends TopicPartition {
  readonly offset: bigint;
  readonly bytesMax: number;
  /**
   * Only this life of the topic is read, when all partitions of a request say so and the broker can
   * tell (from 3.1 on); else whatever has the name.
   */
  readonly topicId?: string;
  /** Only a leader of this epoch answers; any other answers 74 or 75. Left out: any leader. */
  readonly leaderEpoch?: number;
}

export interface FetchRequest {
  readonly partitions: readonly FetchPartition[];
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolation: 'read_committed' | 'read_uncommitted';
  /**
   * The answer leaves out partitions in which nothing changed since the last answer of that kind on
   * this link, where the broker can do that. One request of the kind is under way at a time.
   */
  readonly onlyChanges?: boolean;
}

export interface FetchedPartition extends TopicPartition {
  /** Kafka's error code; 0 is success. Names: `kafkaErrorName`. */
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  /** By first offset; only with read_committed. */
  readonly aborted: readonly AbortedTransaction[];
  /** Raw record batches: the first may begin before the offset asked for, the last may be cut. */
  readonly records: Buffer;
}

export interface FetchResponse {
  readonly partitions: readonly FetchedPartition[];
  /** True: what was asked for and is not among the partitions is as it was in the last answer. */
  readonly areOthersUnchanged: boolean;
  readonly throttleMs: number;
  /** Gives the response's memory back: no `records` buffer may be touched afterwards. */
  release(): void;
}

export interface ProducePartition extends TopicPartition {
  /** One sealed record batch (`records/seal.ts`). Must not change until the answer is here. */
  readonly batch: Buffer;
  /** As for fetches: only into this life of the topic, where brokers can tell (from 4.1 on). */
  readonly topicId?: string;
}

export interface ProduceRequest {
  /** At most one entry per partition. acks is always `all`. */
  readonly batches: readonly ProducePartition[];
  readonly timeoutMs: number;
}

export interface ProducedPartition extends TopicPartition {
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly baseOffset: bigint; // -1 with an error
  readonly logStartOffset: bigint;
}

/**
 * One connection to one broker for raw fetch and produce: kafkajs opened and authenticated it,
 * the framing is ours. Requests are pipelined and answered in order. It lives until it fails:
 * then every request in flight rejects with `kafka_unavailable`, and the owner opens another one.
 */
export interface BrokerLink extends AsyncDisposable {
  readonly brokerId: number;
  readonly isOpen: boolean;
  fetch(request: FetchRequest): Promise<FetchResponse>;
  produce(request: ProduceRequest): Promise<readonly ProducedPartition[]>;
}

export interface FenceRequest extends TopicPartition {
  readonly transactionalId: string;
  /** Where the log ended a moment ago, when that is known: it is looked up else. */
  readonly targetEnd?: number;
  /** Called with the id before anything is written with it: stores it, so that the tail is ours. */
  readonly onProducerId: (producerId: bigint, producerEpoch: number) => Promise<void>;
}

export interface Fence {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Offset of our marker in the target's log: what an older holder wrote lies before it. */
  readonly markerOffset: bigint;
  /** Of the leader that wrote it. */
  readonly leaderEpoch: number;
}

export type OffsetSpec =
  'earliest' | 'latest' | 'latest_committed' | { readonly timestampMs: number };

export interface ListedOffset extends TopicPartition {
  readonly errorCode: number;
  readonly offset: bigint; // -1: no such record
  readonly timestampMs: number; // -1 unless asked by time
  readonly leaderEpoch: number;
}

/** A question about a leader's log: where what was written in that epoch, or before, ends. */
export interface EpochQuestion extends TopicPartition {
  readonly epoch: number;
  /** Only a leader of this epoch answers. */
  readonly leaderEpoch: number;
}

export interface EpochEnd extends TopicPartition {
  readonly errorCode: number;
  /** The highest epoch in the log that is not above the one asked for; -1: none is known. */
  readonly epoch: number;
  /** The offset behind its last record; -1: the log knows only lower epochs. */
  readonly endOffset: bigint;
}

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

export interface TopicConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly isDefault: boolean;
  readonly isSensitive: boolean;
}

/** Who may, or must not, do what with a topic, or with all whose names begin so. */
export interface TopicAcl {
  readonly pattern: 'literal' | 'prefixed';
  readonly name: string; // `*`, literal: every topic
  readonly principal: string; // `User:alice`
  readonly host: string;
  readonly operation: AclOperation;
  readonly permission: 'allow' | 'deny';
}

export type AclOperation =
  | 'all'
  | 'read'
  | 'write'
  | 'create'
  | 'delete'
  | 'alter'
  | 'describe'
  | 'describe_configs'
  | 'alter_configs';

export interface GroupOverview {
  readonly group: string;
  readonly protocolType: string; // `consumer` for ordinary groups
  readonly state: string; // as Kafka names it; empty where the broker does not say
  readonly groupType: string; // classic, consumer, share; empty where the broker does not say
}

export interface GroupOffset extends TopicPartition {
  readonly offset: bigint; // -1: no commit
  readonly leaderEpoch: number; // -1: none
  readonly metadata: string;
}

export interface GroupMembers {
  readonly group: string;
  readonly state: string;
  readonly memberCount: number;
}

/** Results per partition: expected refusals are values. 0 is success. */
export interface CommitResult extends TopicPartition {
  readonly errorCode: number;
}

export interface Cluster extends AsyncDisposable {
  /** For logs and errors: the name of the site. */
  readonly name: string;

  /** As brokers name the user that we come in as; undefined where they take it from elsewhere. */
  readonly principal: string | undefined;

  /** Fresh metadata of all topics; tolerates topics without leaders. */
  metadata(signal?: AbortSignal): Promise<ClusterMetadata>;
  /** Kafka's error code for one topic: 0 it is there, 3 it is not, 29 it may not be seen. */
  topicError(name: string): Promise<number>;
  /** Fresh metadata of one topic; undefined when there is none of that name that we may see. */
  topicMetadata(topic: string): Promise<TopicMetadata | undefined>;
  /** A connection of its own to that broker. */
  openLink(brokerId: number, purpose: string): Promise<BrokerLink>;
  /** Asks the leaders; per-partition errors are values. */
  listOffsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
    isolation?: 'read_committed' | 'read_uncommitted',
  ): Promise<readonly ListedOffset[]>;
  /** OffsetForLeaderEpoch, from the leaders; per-partition errors are values. */
  epochEnds(questions: readonly EpochQuestion[]): Promise<readonly EpochEnd[]>;
  /** Section "Fence" of ARCHITECTURE.md; retries what a new coordinator answers, bounded. */
  fence(request: FenceRequest, signal?: AbortSignal): Promise<Fence>;
  /**
   * An empty transaction on a scratch partition by the present holder, so that Kafka does not
   * forget the id; the epoch stays. @throws MeshError fenced when another holder has taken over
   */
  keepAlive(
    transactionalId: string,
    holder: { readonly producerId: bigint; readonly producerEpoch: number },
    scratch: TopicPartition,
  ): Promise<void>;

  createTopics(topics: readonly NewTopic[]): Promise<readonly CreateResult[]>;
  createPartitions(topic: string, total: number): Promise<void>;
  deleteTopics(names: readonly string[]): Promise<void>;
  /** Those named, or all keys, of topics that are there. */
  topicConfigs(
    names: readonly string[],
    keys?: readonly string[],
  ): Promise<ReadonlyMap<string, readonly TopicConfigEntry[]>>;
  /** The same; a topic that refuses is no hindrance for the others. */
  tryTopicConfigs(
    names: readonly string[],
    keys?: readonly string[],
  ): Promise<ReadonlyMap<string, readonly TopicConfigEntry[] | MeshError>>;
  /** Only the keys named change; null deletes the override. */
  alterTopicConfigs(name: string, changes: Readonly<Record<string, string | null>>): Promise<void>;
  brokerConfigs(brokerId: number): Promise<readonly TopicConfigEntry[]>;

  /** ACLs on topics; undefined: the cluster has no authorizer. */
  topicAcls(): Promise<readonly TopicAcl[] | undefined>;
  createTopicAcls(acls: readonly TopicAcl[]): Promise<void>;
  /** Just these; those that are not there are passed over. */
  deleteTopicAcls(acls: readonly TopicAcl[]): Promise<void>;

  listGroups(): Promise<readonly GroupOverview[]>;
  /** All committed offsets of the group. */
  groupOffsets(group: string): Promise<readonly GroupOffset[]>;
  /** Members of classic and KIP-848 groups; 0 when empty or absent. */
  groupMembers(group: string): Promise<GroupMembers>;
  /** OffsetCommit from outside (generation -1, leader epoch -1): refused while it has members. */
  commitGroupOffsets(
    group: string,
    offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[],
  ): Promise<readonly CommitResult[]>;
}

export interface CreateResult {
  readonly name: string;
  readonly errorCode: number; // 0 created, 36 exists already
  readonly errorMessage: string;
}
