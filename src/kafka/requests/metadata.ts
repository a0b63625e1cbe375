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
import { byTopic } from './by-topic.ts';

/** All topics, or those named. A topic that is not there is left out, one without leader is not. */
export function metadataRequest(topics?: readonly string[]): ApiRequest<ClusterMetadata> {
  return {
    apiName: 'Metadata',
    apiKey: 3,
    apiVersion: 12,
    isFlexible: true,
    encode(writer) {
      writer.compactArray(topics ?? null, (topic) => {
        writer.int64(0n).int64(0n).compactString(topic).noTags();
      });
      writer.boolean(false).boolean(false).noTags();
    },
    decode(reader) {
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
      const found = new Map<string, TopicMetadata>();
      reader.compactArray(() => {
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
        // Error 5 only says that some partition has no leader just now.
        if (errorCode === 0 || errorCode === 5) {
          found.set(name, { name, topicId, isInternal, partitions });
        }
      });
      return { clusterId, controllerId, brokers, topics: found };
    },
  };
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
