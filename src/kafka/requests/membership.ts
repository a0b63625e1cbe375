/** Being a member of a group: JoinGroup v5, SyncGroup v3, Heartbeat v3, LeaveGroup v2. */
import type { ApiRequest } from '../api-request.ts';

/**
 * Not `consumer`: no topic is subscribed, so tools that list consumers leave these groups alone.
 */
export const protocolType = 'causeway';

export interface JoinAnswer {
  readonly errorCode: number;
  readonly generation: number;
  readonly leader: string;
  readonly memberId: string;
  /** Only the leader is told of the others. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[];
}

export interface MemberOf {
  readonly group: string;
  readonly generation: number;
  readonly memberId: string;
}

export interface JoinOptions {
  readonly group: string;
  readonly memberId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly assignor: string;
  readonly metadata: Buffer;
}

export function joinGroupRequest(options: JoinOptions): ApiRequest<JoinAnswer> {
  const { group, memberId, sessionTimeoutMs, rebalanceTimeoutMs, assignor, metadata } = options;
  return {
    apiName: `JoinGroup of ${group}`,
    apiKey: 11,
    apiVersion: 5,
    isFlexible: false,
    extraMs: rebalanceTimeoutMs,
    encode(writer) {
      writer.string(group).int32(sessionTimeoutMs).int32(rebalanceTimeoutMs);
      writer.string(memberId).nullableString(null).string(protocolType);
      writer.array([assignor], () => void writer.string(assignor).bytesOf(metadata));
    },
    decode(reader) {
      reader.int32();
      const errorCode = reader.int16();
      const generation = reader.int32();
      reader.string();
      const leader = reader.string();
      const joined = reader.string();
      const members = reader.array(() => {
        const id = reader.string();
        reader.nullableString();
        return { memberId: id, metadata: Buffer.from(reader.bytes()) };
      });
      return { errorCode, generation, leader, memberId: joined, members };
    },
  };
}

export function syncGroupRequest(
  member: MemberOf,
  assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  extraMs: number,
): ApiRequest<{ readonly errorCode: number; readonly assignment: Buffer }> {
  return {
    apiName: `SyncGroup of ${member.group}`,
    apiKey: 14,
    apiVersion: 3,
    isFlexible: false,
    extraMs,
    encode(writer) {
      writer.string(member.group).int32(member.generation).string(member.memberId);
      writer.nullableString(null);
      writer.array(assignments, ({ memberId, assignment }) => {
        writer.string(memberId).bytesOf(assignment);
      });
    },
    decode(reader) {
      reader.int32();
      return { errorCode: reader.int16(), assignment: Buffer.from(reader.bytes()) };
    },
  };
}

export function heartbeatRequest(member: MemberOf): ApiRequest<number> {
  return {
    apiName: `Heartbeat of ${member.group}`,
    apiKey: 12,
    apiVersion: 3,
    isFlexible: false,
    encode(writer) {
      writer.string(member.group).int32(member.generation).string(member.memberId);
      writer.nullableString(null);
    },
    decode(reader) {
      reader.int32();
      return reader.int16();
    },
  };
}

export function leaveGroupRequest(group: string, memberId: string): ApiRequest<number> {
  return {
    apiName: `LeaveGroup of ${group}`,
    apiKey: 13,
    apiVersion: 2,
    isFlexible: false,
    encode: (writer) => void writer.string(group).string(memberId),
    decode(reader) {
      reader.int32();
      return reader.int16();
    },
  };
}
