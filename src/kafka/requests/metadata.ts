/** Metadata v12 (with topic ids), FindCoordinator v2, ListOffsets v5. */
import type { ApiRequest } from '../api-request.ts';
import type {
  ClusterMetadata,
  ListedOffset,
  OffsetSpec,
  PartitionMetadata,
  TopicMetadata,
  TopicPartition,
} from '../cluster.ts';
import type { WireReader } from '../wire-reader.ts';
import { byTopic } from './by-topic.ts';

/** Every broker knows: one that does not answer, as a frozen one, is not waited for. */
const askAnotherMs = 5_000;

type AnsweredTopic = TopicMetadata & { readonly errorCode: number };
type Answer = Omit<ClusterMetadata, 'topics'> & { readonly topics: readonly AnsweredTopic[] };

/** All topics, or those named. A topic that is not there is left out, one without leader is not. */
export function metadataRequest(topics?: readonly string[]): ApiRequest<ClusterMetadata> {
  return metadataAs(topics, (answer) => {
    // Error 5 only says that some partition has no leader just now.
    const there = answer.topics.filter(({ errorCode }) => errorCode === 0 || errorCode === 5);
    const found = there.map(({ errorCode: _, ...topic }) => [topic.name, topic] as const);
    return { ...answer, topics: new Map(found) };
  });
}

/** What keeps one topic out of the metadata: 3 it is not there, 29 it may not be seen; else 0. */
export function topicErrorRequest(topic: string): ApiRequest<number> {
  return metadataAs([topic], ({ topics: [found] }) => {
    const errorCode = found?.errorCode ?? 3;
    return errorCode === 5 ? 0 : errorCode;
  });
}

function metadataAs<T>(
  topics: readonly string[] | undefined,
  use: (answer: Answer) => T,
): ApiRequest<T> {
  return {
    apiName: 'Metadata',
    apiKey: 3,
    apiVersion: 12,
    isFlexible: true,
    timeoutMs: askAnotherMs,
    encode(writer) {
      writer.compactArray(topics ?? null, (topic) => {
        writer.int64(0n).int64(0n).compactString(topic).noTags();
      });
      writer.boolean(false).boolean(false).noTags();
    },
    decode: (reader) => use(readMetadata(reader)),
  };
}

function readMetadata(reader: WireReader): Answer {
  reader.int32();
  const brokers = new Map<number, { host: string; port: number }>();
  reader.compactArray(() => {
    const id = reader.int32();
    brokers.set(id, { host: reader.compactString(), port: reader.int32() });
    reader.compactNullableString();
    reader.skipTags();
  });
  const clusterId = reader.compactNullableString() ?? '';
  const controllerId = reader.int32();
  const topics = reader.compactArray(() => readTopic(reader));
  return { clusterId, controllerId, brokers, topics };
}

function readTopic(reader: WireReader): AnsweredTopic {
  const errorCode = reader.int16();
  const name = reader.compactNullableString() ?? '';
  const topicId = reader.uuid();
  const isInternal = reader.boolean();
  const partitions = reader.compactArray((): PartitionMetadata => {
    reader.int16();
    const partition = reader.int32();
    const leader = reader.int32();
    const leaderEpoch = reader.int32();
    const replicas = reader.compactArray(() => reader.int32());
    reader.compactArray(() => reader.int32());
    reader.compactArray(() => reader.int32());
    reader.skipTags();
    return { partition, leader, leaderEpoch, replicas };
  });
  reader.int32();
  reader.skipTags();
  partitions.sort((a, b) => a.partition - b.partition);
  return { errorCode, name, topicId, isInternal, partitions };
}

export interface Coordinator {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly brokerId: number;
}

export function coordinatorRequest(
  kind: 'group' | 'transaction',
  key: string,
): ApiRequest<Coordinator> {
  return {
    apiName: `FindCoordinator of ${kind} ${key}`,
    apiKey: 10,
    apiVersion: 2,
    isFlexible: false,
    timeoutMs: askAnotherMs,
    encode: (writer) => void writer.string(key).int8(kind === 'group' ? 0 : 1),
    decode(reader) {
      reader.int32();
      const errorCode = reader.int16();
      const errorMessage = reader.nullableString();
      return { errorCode, errorMessage, brokerId: reader.int32() };
    },
  };
}

const earliestTimestamp = -2n;
const latestTimestamp = -1n;

function timestampOf(spec: OffsetSpec): bigint {
  if (typeof spec === 'object') return BigInt(spec.timestampMs);
  return spec === 'earliest' ? earliestTimestamp : latestTimestamp;
}

export function listOffsetsRequest(
  partitions: readonly TopicPartition[],
  spec: OffsetSpec,
  isCommitted: boolean,
): ApiRequest<readonly ListedOffset[]> {
  return {
    apiName: 'ListOffsets',
    apiKey: 2,
    apiVersion: 5,
    isFlexible: false,
    encode(writer) {
      writer.int32(-1).int8(isCommitted ? 1 : 0);
      writer.array(byTopic(partitions), ([topic, items]) => {
        writer.string(topic).array(items, ({ partition }) => {
          writer.int32(partition).int32(-1).int64(timestampOf(spec));
        });
      });
    },
    decode(reader) {
      reader.int32();
      const topics = reader.array(() => {
        const topic = reader.string();
        return reader.array((): ListedOffset => {
          const partition = reader.int32();
          const errorCode = reader.int16();
          const timestampMs = Number(reader.int64());
          const offset = reader.int64();
          return { topic, partition, errorCode, timestampMs, offset, leaderEpoch: reader.int32() };
        });
      });
      return topics.flat();
    },
  };
}
