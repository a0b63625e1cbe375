/**
 * Produce with acks from all, batches handed over without copying: v13, which names topics by their
 * ids, where the broker speaks it and the ids are known, else v8, which names them by name.
 */
import type { ProducedPartition, ProduceRequest } from '../cluster.ts';
import { WireReader } from '../wire-reader.ts';
import { WireWriter } from '../wire-writer.ts';
import { byTopic } from './by-topic.ts';

export const produceKey = 0;
export const produceByName = {
  apiName: 'Produce',
  apiKey: produceKey,
  apiVersion: 8,
  isFlexible: false,
} as const;
export const produceById = {
  apiName: 'Produce',
  apiKey: produceKey,
  apiVersion: 13,
  isFlexible: true,
} as const;

const acksAll = -1;

export function encodeProduceByName(request: ProduceRequest): Buffer[] {
  const head = new WireWriter(64);
  head.nullableString(null).int16(acksAll).int32(request.timeoutMs);
  const topics = byTopic(request.batches);
  const parts: Buffer[] = [head.int32(topics.length).bytes];
  for (const [topic, items] of topics) {
    const named = new WireWriter(topic.length + 16);
    parts.push(named.string(topic).int32(items.length).bytes);
    for (const { partition, batch } of items) {
      parts.push(new WireWriter(8).int32(partition).int32(batch.length).bytes, batch);
    }
  }
  return parts;
}

const noTags = Buffer.from([0]);

export function encodeProduceById(
  request: ProduceRequest,
  ids: ReadonlyMap<string, string>,
): Buffer[] {
  const head = new WireWriter(64);
  // No transactional id: a compact string's length plus one, 0 for none.
  head.varint(0).int16(acksAll).int32(request.timeoutMs);
  const topics = byTopic(request.batches);
  const parts: Buffer[] = [head.varint(topics.length + 1).bytes];
  for (const [topic, items] of topics) {
    parts.push(new WireWriter(32).uuid(ids.get(topic) ?? '').varint(items.length + 1).bytes);
    for (const { partition, batch } of items) {
      parts.push(new WireWriter(16).int32(partition).varint(batch.length + 1).bytes, batch, noTags);
    }
    parts.push(noTags);
  }
  parts.push(noTags);
  return parts;
}

export function readProduceByName(body: Buffer): ProducedPartition[] {
  const reader = new WireReader(body);
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array((): ProducedPartition => {
      const known = readOffsets(reader, topic);
      const errors = reader.array(() => recordError(reader.int32(), reader.nullableString()));
      return { ...known, errorMessage: joined(errors, reader.nullableString()) };
    });
  });
  return topics.flat();
}

export function readProduceById(
  body: Buffer,
  ids: ReadonlyMap<string, string>,
): ProducedPartition[] {
  const names = new Map([...ids].map(([name, id]) => [id, name]));
  const reader = new WireReader(body);
  reader.skipTags();
  const topics = reader.compactArray(() => {
    const topic = names.get(reader.uuid()) ?? '';
    const partitions = reader.compactArray((): ProducedPartition => {
      const known = readOffsets(reader, topic);
      const errors = reader.compactArray(() => {
        const text = recordError(reader.int32(), reader.compactNullableString());
        reader.skipTags();
        return text;
      });
      const errorMessage = joined(errors, reader.compactNullableString());
      reader.skipTags();
      return { ...known, errorMessage };
    });
    reader.skipTags();
    return partitions;
  });
  return topics.flat();
}

function readOffsets(reader: WireReader, topic: string): Omit<ProducedPartition, 'errorMessage'> {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const baseOffset = reader.int64();
  reader.int64();
  return { topic, partition, errorCode, baseOffset, logStartOffset: reader.int64() };
}

function recordError(index: number, text: string | null): string {
  return `record ${index}: ${text ?? ''}`;
}

function joined(recordErrors: readonly string[], text: string | null): string {
  return [text ?? '', ...recordErrors.slice(0, 1)].filter((one) => one !== '').join('; ');
}
