/** ACLs on topics: DescribeAcls v1, CreateAcls v1, DeleteAcls v1. */
import type { ApiRequest } from '../api-request.ts';
import type { AclOperation, TopicAcl } from '../cluster.ts';
import type { WireReader } from '../wire-reader.ts';
import type { WireWriter } from '../wire-writer.ts';

const any = 1;
const topicResource = 2;
const patterns = { literal: 3, prefixed: 4 } as const;
const permissions = { deny: 2, allow: 3 } as const;
const operations: Readonly<Record<AclOperation, number>> = {
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  describe_configs: 10,
  alter_configs: 11,
};

export interface DescribedAcls {
  readonly errorCode: number;
  readonly errorMessage: string;
  readonly acls: readonly TopicAcl[];
}

interface AclResult {
  readonly errorCode: number;
  readonly errorMessage: string;
}

function keyOf<K extends string>(table: Readonly<Record<K, number>>, code: number): K | undefined {
  // Object.keys forgets the type that the table has.
  return (Object.keys(table) as K[]).find((key) => table[key] === code);
}

/** undefined for what later versions of Kafka may know, and we do not. */
function readAcl(reader: WireReader, name: string, patternCode: number): TopicAcl | undefined {
  const principal = reader.string();
  const host = reader.string();
  const operation = keyOf(operations, reader.int8());
  const permission = keyOf(permissions, reader.int8());
  const pattern = keyOf(patterns, patternCode);
  if (pattern === undefined || operation === undefined || permission === undefined) {
    return undefined;
  }
  return { pattern, name, principal, host, operation, permission };
}

/** The form of an ACL to make, and of a filter that fits just one. */
function writeAcl(writer: WireWriter, acl: TopicAcl): void {
  writer.int8(topicResource).string(acl.name).int8(patterns[acl.pattern]);
  writer.string(acl.principal).string(acl.host);
  writer.int8(operations[acl.operation]).int8(permissions[acl.permission]);
}

function readResult(reader: WireReader): AclResult {
  return { errorCode: reader.int16(), errorMessage: reader.nullableString() ?? '' };
}

export function describeTopicAclsRequest(): ApiRequest<DescribedAcls> {
  return {
    apiName: 'DescribeAcls',
    apiKey: 29,
    apiVersion: 1,
    isFlexible: false,
    encode(writer) {
      writer.int8(topicResource).nullableString(null).int8(any);
      writer.nullableString(null).nullableString(null).int8(any).int8(any);
    },
    decode(reader) {
      reader.int32();
      const result = readResult(reader);
      const acls = reader.array(() => {
        reader.int8();
        const name = reader.string();
        const pattern = reader.int8();
        return reader.array(() => readAcl(reader, name, pattern));
      });
      return { ...result, acls: acls.flat().filter((acl) => acl !== undefined) };
    },
  };
}

export function createAclsRequest(acls: readonly TopicAcl[]): ApiRequest<readonly AclResult[]> {
  return {
    apiName: 'CreateAcls',
    apiKey: 30,
    apiVersion: 1,
    isFlexible: false,
    encode: (writer) => void writer.array(acls, (acl) => writeAcl(writer, acl)),
    decode(reader) {
      reader.int32();
      return reader.array(() => readResult(reader));
    },
  };
}

export function deleteAclsRequest(acls: readonly TopicAcl[]): ApiRequest<readonly AclResult[]> {
  return {
    apiName: 'DeleteAcls',
    apiKey: 31,
    apiVersion: 1,
    isFlexible: false,
    encode: (writer) => void writer.array(acls, (acl) => writeAcl(writer, acl)),
    decode(reader) {
      reader.int32();
      return reader.array(() => {
        const result = readResult(reader);
        const matching = reader.array(() => {
          const one = readResult(reader);
          reader.int8();
          const name = reader.string();
          readAcl(reader, name, reader.int8());
          return one;
        });
        return matching.find(({ errorCode }) => errorCode !== 0) ?? result;
      });
    },
  };
}
