/** What tests tell brokers to do, and operators would by Kafka's own tools. */
import type { ApiRequest } from '../../src/kafka/api-request.ts';
import { kafkaErrorName } from '../../src/kafka/codes.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { WireWriter } from '../../src/kafka/wire-writer.ts';
import { until } from './until.ts';

const timeoutMs = 15_000;
/** Nothing to be done: the leader is the one that is wanted already. */
const electionNotNeeded = 84;

function checked(what: string, codes: readonly number[]): void {
  const bad = codes.filter((code) => code !== 0 && code !== electionNotNeeded);
  if (bad.length > 0) throw new Error(`${what}: ${bad.map(kafkaErrorName).join()}`);
}

/** The order of replicas; the first is who leads when it can. */
export async function setReplicas(
  cluster: KafkaCluster,
  topic: string,
  replicas: readonly (readonly number[])[],
): Promise<void> {
  const request: ApiRequest<number[]> = {
    apiName: 'AlterPartitionReassignments',
    apiKey: 45,
    apiVersion: 0,
    isFlexible: true,
    encode(writer) {
      writer.int32(timeoutMs).compactArray([topic], (name) => {
        writer.compactString(name).compactArray([...replicas.entries()], ([partition, ids]) => {
          writer
            .int32(partition)
            .compactArray(ids, (id) => void writer.int32(id))
            .noTags();
        });
        writer.noTags();
      });
      writer.noTags();
    },
    decode(reader) {
      reader.int32();
      const code = reader.int16();
      reader.compactNullableString();
      const codes = reader.compactArray(() => {
        reader.compactString();
        const found = reader.compactArray(() => {
          reader.int32();
          const partitionCode = reader.int16();
          reader.compactNullableString();
          reader.skipTags();
          return partitionCode;
        });
        reader.skipTags();
        return found;
      });
      return [code, ...codes.flat()];
    },
  };
  checked(`replicas of ${topic}`, await cluster.control.toAny(request));
}

/** `preferred`: the first replica leads; `unclean`: one that is left, although it lacks records. */
export async function electLeaders(
  cluster: KafkaCluster,
  topic: string,
  partitions: readonly number[],
  kind: 'preferred' | 'unclean',
): Promise<void> {
  const request: ApiRequest<number[]> = {
    apiName: 'ElectLeaders',
    apiKey: 43,
    apiVersion: 1,
    isFlexible: false,
    encode(writer) {
      writer.int8(kind === 'preferred' ? 0 : 1).array([topic], (name) => {
        writer.string(name).array(partitions, (partition) => void writer.int32(partition));
      });
      writer.int32(timeoutMs);
    },
    decode(reader) {
      reader.int32();
      const code = reader.int16();
      const codes = reader.array(() => {
        reader.string();
        return reader.array(() => {
          reader.int32();
          const partitionCode = reader.int16();
          reader.nullableString();
          return partitionCode;
        });
      });
      return [code, ...codes.flat()];
    },
  };
  checked(`election for ${topic}`, await cluster.control.toAny(request));
}

/** Every leader moves to the next replica of its partition. */
export async function moveLeaders(cluster: KafkaCluster, topic: string): Promise<void> {
  const before = (await cluster.metadata()).topics.get(topic)?.partitions ?? [];
  const turned = before.map(({ replicas: [first = -1, ...rest] }) => [...rest, first]);
  await setReplicas(cluster, topic, turned);
  const all = before.map(({ partition }) => partition);
  await until(
    `the leaders of ${topic} to move`,
    async () => {
      await electLeaders(cluster, topic, all, 'preferred').catch(() => undefined);
      const now = (await cluster.metadata()).topics.get(topic)?.partitions ?? [];
      return now.every(({ partition, leader }) => leader === turned[partition]?.[0]);
    },
    60_000,
  );
}

/** What lies before that offset is gone, as if retention had taken it. */
export async function deleteRecords(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  before: number,
): Promise<void> {
  const request: ApiRequest<number[]> = {
    apiName: 'DeleteRecords',
    apiKey: 21,
    apiVersion: 1,
    isFlexible: false,
    encode(writer) {
      writer.array([topic], (name) => {
        writer.string(name).array([partition], (one) => {
          writer.int32(one).int64(BigInt(before));
        });
      });
      writer.int32(timeoutMs);
    },
    decode(reader) {
      reader.int32();
      const codes = reader.array(() => {
        reader.string();
        return reader.array(() => {
          reader.int32();
          reader.int64();
          return reader.int16();
        });
      });
      return codes.flat();
    },
  };
  const leader = (await cluster.metadata()).topics.get(topic)?.partitions[partition]?.leader ?? -1;
  checked(`records of ${topic}`, await cluster.control.toBroker(leader, request));
}

export interface AclRule {
  readonly topic: string;
  readonly operation: 'all' | 'read' | 'write' | 'describe';
  readonly permission: 'allow' | 'deny';
}

const operations = { all: 2, read: 3, write: 4, describe: 8 } as const;
const permissions = { deny: 2, allow: 3 } as const;

/** Of everybody, from everywhere, for that topic. */
function writeRule(writer: WireWriter, { topic, operation, permission }: AclRule): void {
  const [topicResource, literal] = [2, 3];
  writer.int8(topicResource).string(topic).int8(literal).string('User:*').string('*');
  writer.int8(operations[operation]).int8(permissions[permission]);
}

export async function addAcls(cluster: KafkaCluster, rules: readonly AclRule[]): Promise<void> {
  const request: ApiRequest<number[]> = {
    apiName: 'CreateAcls',
    apiKey: 30,
    apiVersion: 1,
    isFlexible: false,
    encode: (writer) => void writer.array(rules, (rule) => writeRule(writer, rule)),
    decode(reader) {
      reader.int32();
      return reader.array(() => {
        const code = reader.int16();
        reader.nullableString();
        return code;
      });
    },
  };
  checked('adding ACLs', await cluster.control.toAny(request));
}

export async function removeAcls(cluster: KafkaCluster, rules: readonly AclRule[]): Promise<void> {
  const request: ApiRequest<number[]> = {
    apiName: 'DeleteAcls',
    apiKey: 31,
    apiVersion: 1,
    isFlexible: false,
    encode: (writer) => void writer.array(rules, (rule) => writeRule(writer, rule)),
    decode(reader) {
      reader.int32();
      return reader.array(() => {
        const code = reader.int16();
        reader.nullableString();
        reader.array(() => {
          reader.int16();
          reader.nullableString();
          reader.int8();
          reader.string();
          reader.int8();
          reader.string();
          reader.string();
          reader.int8();
          reader.int8();
        });
        return code;
      });
    },
  };
  checked('removing ACLs', await cluster.control.toAny(request));
}
