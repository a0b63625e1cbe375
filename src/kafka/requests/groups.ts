/**
 * Groups seen from outside: ListGroups v4/v5, OffsetFetch v5, OffsetCommit v7, DescribeGroups v4,
 * ConsumerGroupDescribe v0.
 */
import type { ApiRequest } from '../api-request.ts';
import type {
  CommitResult,
  GroupMembers,
  GroupOffset,
  GroupOverview,
  TopicPartition,
} from '../cluster.ts';
import type { WireReader } from '../wire-reader.ts';
import { byTopic } from './by-topic.ts';

export const consumerGroupDescribeKey = 69;
export const listGroupsKey = 16;

export interface Answered<T> {
  readonly errorCode: number;
  readonly found: T;
}

/** @param version 5 tells types, 4 does not */
export function listGroupsRequest(version: 4 | 5): ApiRequest<Answered<readonly GroupOverview[]>> {
  return {
    apiName: 'ListGroups',
    apiKey: listGroupsKey,
    apiVersion: version,
    isFlexible: true,
    encode(writer) {
      writer.compactArray([], () => undefined);
      if (version === 5) writer.compactArray([], () => undefined);
      writer.noTags();
    },
    decode(reader) {
      reader.int32();
      const errorCode = reader.int16();
      const found = reader.compactArray((): GroupOverview => {
        const group = reader.compactString();
        const protocolType = reader.compactString();
        const state = reader.compactString();
        const groupType = version === 5 ? reader.compactString().toLowerCase() : '';
        reader.skipTags();
        return { group, protocolType, state, groupType };
      });
      return { errorCode, found };
    },
  };
}

/** All committed offsets of a group. */
export function offsetFetchRequest(group: string): ApiRequest<Answered<readonly GroupOffset[]>> {
  return {
    apiName: `OffsetFetch of ${group}`,
    apiKey: 9,
    apiVersion: 5,
    isFlexible: false,
    encode: (writer) => void writer.string(group).int32(-1),
    decode(reader) {
      reader.int32();
      const topics = reader.array(() => {
        const topic = reader.string();
        return reader.array((): GroupOffset => {
          const partition = reader.int32();
          const offset = reader.int64();
          const leaderEpoch = reader.int32();
          const metadata = reader.nullableString() ?? '';
          const errorCode = reader.int16();
          return {
            topic,
            partition,
            offset: errorCode === 0 ? offset : -1n,
            leaderEpoch,
            metadata,
          };
        });
      });
      return { errorCode: reader.int16(), found: topics.flat() };
    },
  };
}

/** From outside the group: generation -1, no member, no leader epoch. */
export function offsetCommitRequest(
  group: string,
  offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[],
): ApiRequest<readonly CommitResult[]> {
  return {
    apiName: `OffsetCommit of ${group}`,
    apiKey: 8,
    apiVersion: 7,
    isFlexible: false,
    encode(writer) {
      writer.string(group).int32(-1).string('').nullableString(null);
      writer.array(byTopic(offsets), ([topic, items]) => {
        writer.string(topic).array(items, ({ partition, offset, metadata }) => {
          writer.int32(partition).int64(offset).int32(-1).nullableString(metadata);
        });
      });
    },
    decode(reader) {
      reader.int32();
      const topics = reader.array(() => {
        const topic = reader.string();
        return reader.array((): CommitResult => {
          const partition = reader.int32();
          return { topic, partition, errorCode: reader.int16() };
        });
      });
      return topics.flat();
    },
  };
}

export function describeGroupRequest(group: string): ApiRequest<Answered<GroupMembers>> {
  return {
    apiName: `DescribeGroups of ${group}`,
    apiKey: 15,
    apiVersion: 4,
    isFlexible: false,
    encode: (writer) => void writer.array([group], () => void writer.string(group)).boolean(false),
    decode(reader) {
      reader.int32();
      const groups = reader.array(() => {
        const errorCode = reader.int16();
        const name = reader.string();
        const state = reader.string();
        reader.string();
        reader.string();
        const members = reader.array(() => {
          reader.string();
          reader.nullableString();
          reader.string();
          reader.string();
          reader.bytes();
          reader.bytes();
        });
        reader.int32();
        return { errorCode, found: { group: name, state, memberCount: members.length } };
      });
      return groups[0] ?? { errorCode: 0, found: { group, state: 'Dead', memberCount: 0 } };
    },
  };
}

function skipAssignment(reader: WireReader): void {
  reader.compactArray(() => {
    reader.uuid();
    reader.compactString();
    reader.compactArray(() => reader.int32());
    reader.skipTags();
  });
  reader.skipTags();
}

/** Groups of the protocol of KIP-848; a classic one is answered with GROUP_ID_NOT_FOUND. */
export function describeConsumerGroupRequest(group: string): ApiRequest<Answered<GroupMembers>> {
  return {
    apiName: `ConsumerGroupDescribe of ${group}`,
    apiKey: consumerGroupDescribeKey,
    apiVersion: 0,
    isFlexible: true,
    encode(writer) {
      writer
        .compactArray([group], () => void writer.compactString(group))
        .boolean(false)
        .noTags();
    },
    decode(reader) {
      reader.int32();
      const groups = reader.compactArray(() => {
        const errorCode = reader.int16();
        reader.compactNullableString();
        const name = reader.compactString();
        const state = reader.compactString();
        reader.int32();
        reader.int32();
        reader.compactString();
        const members = reader.compactArray(() => {
          reader.compactString();
          reader.compactNullableString();
          reader.compactNullableString();
          reader.int32();
          reader.compactString();
          reader.compactString();
          reader.compactArray(() => reader.compactString());
          reader.compactNullableString();
          skipAssignment(reader);
          skipAssignment(reader);
          reader.skipTags();
        });
        reader.int32();
        reader.skipTags();
        return { errorCode, found: { group: name, state, memberCount: members.length } };
      });
      return groups[0] ?? { errorCode: 69, found: { group, state: '', memberCount: 0 } };
    },
  };
}
