/**
 * One record of `__consumer_offsets`, the log in which Kafka's group coordinators keep what groups
 * committed. Formats: OffsetCommitKey, OffsetCommitValue and their legacy forms in Kafka's
 * group-coordinator messages.
 *
 * Key, version 0 or 1: `group, topic STRING, partition INT32`. Value: `offset INT64`, from
 * version 3 on `leaderEpoch INT32`, `metadata STRING, commitTimestamp INT64`, in version 1 alone
 * `expireTimestamp INT64`; from version 4 on compact strings and tagged fields, such as the topic's
 * id. No value: the commit was deleted or has expired. All other keys tell of groups and members.
 */
import { errorMessage } from '../base/errors.ts';
import { corrupt } from '../records/corrupt.ts';
import { WireReader } from './wire-reader.ts';

export interface OffsetCommit {
  readonly kind: 'commit';
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number; // -1: none
  readonly metadata: string;
  /** By the clock of the broker that took it: offsets expire some time after that. */
  readonly committedAtMs: number;
}

export type OffsetsRecord =
  | OffsetCommit
  | {
      readonly kind: 'deleted';
      readonly group: string;
      readonly topic: string;
      readonly partition: number;
    }
  /** A commit in a form that we do not know: what it says has to be asked for. */
  | {
      readonly kind: 'unreadable';
      readonly group: string;
      readonly topic: string;
      readonly partition: number;
      readonly found: string;
    }
  | { readonly kind: 'other' };

const commitKeyVersionMax = 1;
const valueVersionMax = 4;
const flexibleFrom = 4;
const other: OffsetsRecord = { kind: 'other' };

/** @throws MeshError batch_corrupt, naming `where`, for the key of a commit that breaks off */
export function readOffsetsRecord(
  key: Buffer | null,
  value: Buffer | null,
  where: string,
): OffsetsRecord {
  if (key === null || key.length < 2) throw corrupt(where, 'a record without a kind');
  const version = key.readInt16BE(0);
  if (version < 0 || version > commitKeyVersionMax) return other;
  const place = readKey(key, where);
  if (value === null) return { kind: 'deleted', ...place };
  try {
    return { kind: 'commit', ...place, ...readValue(value) };
  } catch (error) {
    return { kind: 'unreadable', ...place, found: errorMessage(error) };
  }
}

/** What a marker of `__consumer_offsets`, or of any log, ends a transaction with. */
export function isCommitMarker(key: Buffer | null): boolean {
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 1;
}

function readKey(key: Buffer, where: string): { group: string; topic: string; partition: number } {
  const reader = new WireReader(key);
  try {
    reader.int16();
    const place = { group: reader.string(), topic: reader.string(), partition: reader.int32() };
    if (reader.left === 0) return place;
  } catch (error) {
    throw corrupt(where, `key of a commit: ${errorMessage(error)}`);
  }
  throw corrupt(where, `key of a commit with ${reader.left} bytes too many`);
}

type Value = Pick<OffsetCommit, 'offset' | 'leaderEpoch' | 'metadata' | 'committedAtMs'>;

function readValue(value: Buffer): Value {
  const reader = new WireReader(value);
  const version = reader.int16();
  if (version < 0 || version > valueVersionMax) throw new Error(`version ${version} of its value`);
  const isFlexible = version >= flexibleFrom;
  const offset = reader.int64();
  const leaderEpoch = version >= 3 ? reader.int32() : -1;
  const metadata = isFlexible ? reader.compactString() : reader.string();
  const committedAtMs = Number(reader.int64());
  if (version === 1) reader.int64();
  if (isFlexible) reader.skipTags();
  if (reader.left > 0) throw new Error(`version ${version}: ${reader.left} bytes too many`);
  return { offset, leaderEpoch, metadata, committedAtMs };
}
