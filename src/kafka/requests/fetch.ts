/**
 * Fetch, read without copying: v13, which names topics by their ids, where the broker speaks it and
 * the ids are known, else v11, which names them by name. Both carry the leader epoch, so that a
 * leader that we have not looked at yet answers nothing. Only v13 is asked in sessions
 * (fetch-session.ts).
 */
import type { FetchedPartition, FetchPartition, FetchRequest } from '../cluster.ts';
import { WireReader } from '../wire-reader.ts';
import { WireWriter } from '../wire-writer.ts';
import { byTopic } from './by-topic.ts';
import { noSession, type FetchAnswer, type SessionRequest } from './fetch-session.ts';

export const fetchKey = 1;
export const fetchByName = {
  apiName: 'Fetch',
  apiKey: fetchKey,
  apiVersion: 11,
  isFlexible: false,
} as const;
export const fetchById = {
  apiName: 'Fetch',
  apiKey: fetchKey,
  apiVersion: 13,
  isFlexible: true,
} as const;

const anyLeader = -1;
const noTopicId = 'A'.repeat(22);

/** Topic ids by name, when every partition has one. */
export function topicIds(
  partitions: readonly { readonly topic: string; readonly topicId?: string }[],
): ReadonlyMap<string, string> | undefined {
  const ids = new Map<string, string>();
  for (const { topic, topicId } of partitions) {
    if (topicId === undefined || topicId === noTopicId) return undefined;
    ids.set(topic, topicId);
  }
  return ids;
}

type Limits = Omit<FetchRequest, 'partitions'>;

function head(writer: WireWriter, request: Limits, session: SessionRequest): void {
  writer.int32(-1).int32(request.maxWaitMs).int32(request.minBytes).int32(request.maxBytes);
  writer.int8(request.isolation === 'read_committed' ? 1 : 0);
  writer.int32(session.id).int32(session.epoch);
}

export function encodeFetchByName(request: FetchRequest): Buffer {
  const writer = new WireWriter(64 + request.partitions.length * 48);
  head(writer, request, noSession(request.partitions));
  writer.array(byTopic(request.partitions), ([topic, items]) => {
    writer.string(topic).array(items, ({ partition, offset, bytesMax, leaderEpoch }) => {
      writer
        .int32(partition)
        .int32(leaderEpoch ?? anyLeader)
        .int64(offset);
      writer.int64(-1n).int32(bytesMax);
    });
  });
  writer.array([], () => undefined).string('');
  return writer.bytes;
}

export function encodeFetchById(limits: Limits, session: SessionRequest): Buffer {
  const writer = new WireWriter(64 + session.partitions.length * 64);
  head(writer, limits, session);
  writer.compactArray(byTopic(session.partitions), ([, items]) => {
    writer.uuid(items[0]?.topicId ?? noTopicId);
    writer.compactArray(items, ({ partition, offset, bytesMax, leaderEpoch }: FetchPartition) => {
      writer
        .int32(partition)
        .int32(leaderEpoch ?? anyLeader)
        .int64(offset);
      // The epoch of the last record fetched is not told: we ask for divergence ourselves.
      writer.int32(-1).int64(-1n).int32(bytesMax).noTags();
    });
    writer.noTags();
  });
  writer.compactArray(session.forgotten, ([topicId, partitions]) => {
    writer.uuid(topicId).compactArray(partitions, (partition) => void writer.int32(partition));
    writer.noTags();
  });
  writer.compactString('').noTags();
  return writer.bytes;
}

/** Gives the body back, which records are views of. */
type Release = () => void;

export function readFetchByName(body: Buffer, release: Release): FetchAnswer {
  const reader = new WireReader(body);
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array((): FetchedPartition => {
      const known = readOffsets(reader, topic);
      const aborted = reader.array(() => readAborted(reader));
      reader.int32();
      return { ...known, aborted, records: reader.bytes() };
    });
  });
  return { errorCode, sessionId, partitions: topics.flat(), throttleMs, release };
}

export function readFetchById(
  body: Buffer,
  ids: ReadonlyMap<string, string>,
  release: Release,
): FetchAnswer {
  const names = new Map([...ids].map(([name, id]) => [id, name]));
  const reader = new WireReader(body);
  reader.skipTags();
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const topics = reader.compactArray(() => {
    const topic = names.get(reader.uuid()) ?? '';
    const partitions = reader.compactArray((): FetchedPartition => {
      const known = readOffsets(reader, topic);
      const aborted = reader.compactArray(() => {
        const one = readAborted(reader);
        reader.skipTags();
        return one;
      });
      reader.int32();
      const records = reader.compactBytes();
      reader.skipTags();
      return { ...known, aborted, records };
    });
    reader.skipTags();
    return partitions;
  });
  return { errorCode, sessionId, partitions: topics.flat(), throttleMs, release };
}

function readOffsets(
  reader: WireReader,
  topic: string,
): Omit<FetchedPartition, 'aborted' | 'records'> {
  return {
    topic,
    partition: reader.int32(),
    errorCode: reader.int16(),
    highWatermark: reader.int64(),
    lastStableOffset: reader.int64(),
    logStartOffset: reader.int64(),
  };
}

function readAborted(reader: WireReader): { producerId: bigint; firstOffset: bigint } {
  return { producerId: reader.int64(), firstOffset: reader.int64() };
}
