/**
 * Topics and configs: CreateTopics v4, CreatePartitions v1, DeleteTopics v3, DescribeConfigs v2,
 * IncrementalAlterConfigs v0.
 */
import type { ApiRequest } from '../api-request.ts';
import type { CreateResult, NewTopic, TopicConfigEntry } from '../cluster.ts';
import type { WireReader } from '../wire-reader.ts';

export const adminTimeoutMs = 30_000;

function readResult(reader: WireReader): CreateResult {
  const name = reader.string();
  const errorCode = reader.int16();
  return { name, errorCode, errorMessage: reader.nullableString() ?? '' };
}

export function createTopicsRequest(
  topics: readonly NewTopic[],
): ApiRequest<readonly CreateResult[]> {
  return {
    apiName: 'CreateTopics',
    apiKey: 19,
    apiVersion: 4,
    isFlexible: false,
    extraMs: adminTimeoutMs,
    encode(writer) {
      writer.array(topics, ({ name, partitions, replicationFactor, configs }) => {
        writer.string(name).int32(partitions).int16(replicationFactor);
        writer.array([], () => undefined);
        writer.array(Object.entries(configs), ([key, value]) => {
          writer.string(key).nullableString(value);
        });
      });
      writer.int32(adminTimeoutMs).boolean(false);
    },
    decode(reader) {
      reader.int32();
      return reader.array(() => readResult(reader));
    },
  };
}

export function createPartitionsRequest(
  topic: string,
  total: number,
): ApiRequest<readonly CreateResult[]> {
  return {
    apiName: 'CreatePartitions',
    apiKey: 37,
    apiVersion: 1,
    isFlexible: false,
    extraMs: adminTimeoutMs,
    encode(writer) {
      // No assignment (-1): the brokers choose.
      writer.array([topic], () => void writer.string(topic).int32(total).int32(-1));
      writer.int32(adminTimeoutMs).boolean(false);
    },
    decode(reader) {
      reader.int32();
      return reader.array(() => readResult(reader));
    },
  };
}

export function deleteTopicsRequest(names: readonly string[]): ApiRequest<readonly CreateResult[]> {
  return {
    apiName: 'DeleteTopics',
    apiKey: 20,
    apiVersion: 3,
    isFlexible: false,
    extraMs: adminTimeoutMs,
    encode(writer) {
      writer.array(names, (name) => void writer.string(name)).int32(adminTimeoutMs);
    },
    decode(reader) {
      reader.int32();
      return reader.array(() => {
        const name = reader.string();
        return { name, errorCode: reader.int16(), errorMessage: '' };
      });
    },
  };
}

export const resourceType = { topic: 2, broker: 4 } as const;

export interface DescribedConfigs {
  readonly name: string;
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly entries: readonly TopicConfigEntry[];
}

/**
 * Where a value comes from; 1 is the topic itself, 2 and 4 a broker's dynamic or static setting.
 */
const sourceTopic = 1;

export function describeConfigsRequest(
  type: number,
  names: readonly string[],
  keys?: readonly string[],
): ApiRequest<readonly DescribedConfigs[]> {
  return {
    apiName: 'DescribeConfigs',
    apiKey: 32,
    apiVersion: 2,
    isFlexible: false,
    encode(writer) {
      writer.array(names, (name) => {
        writer.int8(type).string(name);
        if (keys === undefined) writer.int32(-1);
        else writer.array(keys, (key) => void writer.string(key));
      });
      // Without synonyms.
      writer.boolean(false);
    },
    decode(reader) {
      reader.int32();
      return reader.array(() => {
        const errorCode = reader.int16();
        const errorMessage = reader.nullableString() ?? '';
        reader.int8();
        const name = reader.string();
        const entries = reader.array((): TopicConfigEntry => {
          const key = reader.string();
          const value = reader.nullableString();
          reader.boolean();
          const source = reader.int8();
          const isSensitive = reader.boolean();
          reader.array(() => {
            reader.string();
            reader.nullableString();
            reader.int8();
          });
          return { name: key, value, isDefault: source !== sourceTopic, isSensitive };
        });
        return { name, errorCode, errorMessage, entries };
      });
    },
  };
}

const setOperation = 0;
const deleteOperation = 1;

export function alterTopicConfigsRequest(
  topic: string,
  changes: Readonly<Record<string, string | null>>,
): ApiRequest<{ errorCode: number; errorMessage: string }> {
  return {
    apiName: 'IncrementalAlterConfigs',
    apiKey: 44,
    apiVersion: 0,
    isFlexible: false,
    encode(writer) {
      writer.array([topic], () => {
        writer.int8(resourceType.topic).string(topic);
        writer.array(Object.entries(changes), ([key, value]) => {
          writer.string(key).int8(value === null ? deleteOperation : setOperation);
          writer.nullableString(value);
        });
      });
      writer.boolean(false);
    },
    decode(reader) {
      reader.int32();
      const results = reader.array(() => {
        const errorCode = reader.int16();
        const errorMessage = reader.nullableString() ?? '';
        reader.int8();
        reader.string();
        return { errorCode, errorMessage };
      });
      return results[0] ?? { errorCode: 0, errorMessage: '' };
    },
  };
}
