/**
 * Records as MirrorMaker 2 writes them, byte for byte: what its Java client (`MirrorClient`,
 * `RemoteClusterUtils`) reads. Big-endian; a text has its length before it, int16, UTF-8.
 *
 * ```
 * <site>.checkpoints.internal   key    group, topic (as named here), partition int32
 *                               value  version int16 = 0, offset there int64, here int64, metadata
 * heartbeats                    key    source site, target site
 *                               value  version int16 = 0, timestamp int64 (ms since 1970)
 * ```
 */
import { isMeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import { WireReader } from '../kafka/wire-reader.ts';
import { WireWriter } from '../kafka/wire-writer.ts';

export interface CheckpointKey {
  readonly group: string;
  /** The topic's name at the site where the checkpoint is kept. */
  readonly topic: string;
  readonly partition: number;
}

export interface Checkpoint extends CheckpointKey {
  /** Committed at the other site. */
  readonly upstreamOffset: bigint;
  /** The same here: the next record to read. */
  readonly offset: bigint;
  readonly metadata: string;
}

const version = 0;

/** The least that the Java client can read: two bytes, two offsets, an empty text. */
const checkpointBytesMin = 20;

/**
 * Stands where a checkpoint was that holds no longer. Not a tombstone: at a value that is null the
 * Java client throws a NullPointerException, whichever group it was asked for. A value that ends
 * early it passes over.
 */
export const withdrawn = Buffer.from([0, version]);

export function isWithdrawn(value: Buffer | null): boolean {
  return value === null || value.length < checkpointBytesMin;
}

export function checkpointKey({ group, topic, partition }: CheckpointKey): Buffer {
  return copied(new WireWriter(128).string(group).string(topic).int32(partition));
}

export function checkpointValue({ upstreamOffset, offset, metadata }: Checkpoint): Buffer {
  const writer = new WireWriter(64).int16(version).int64(upstreamOffset).int64(offset);
  return copied(writer.string(metadata));
}

/** undefined: not the key of a checkpoint. */
export function readCheckpointKey(key: Buffer): CheckpointKey | undefined {
  return read(key, (reader) => ({
    group: reader.string(),
    topic: reader.string(),
    partition: reader.int32(),
  }));
}

export function heartbeatRecord(
  source: SiteName,
  target: SiteName,
  timestampMs: number,
): StateRecord {
  return {
    key: copied(new WireWriter(64).string(source).string(target)),
    value: copied(new WireWriter(16).int16(version).int64(BigInt(timestampMs))),
  };
}

/** The time that a heartbeat carries; undefined: not a heartbeat. */
export function readHeartbeatMs(value: Buffer | null): number | undefined {
  if (value === null) return undefined;
  return read(value, (reader) => {
    reader.int16();
    return Number(reader.int64());
  });
}

function read<T>(bytes: Buffer, how: (reader: WireReader) => T): T | undefined {
  try {
    return how(new WireReader(bytes));
  } catch (error) {
    if (isMeshError(error)) return undefined;
    throw error;
  }
}

function copied(writer: WireWriter): Buffer {
  return Buffer.from(writer.bytes);
}
