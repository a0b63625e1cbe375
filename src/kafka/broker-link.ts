/**
 * Raw fetch and produce on one connection of its own: Fetch v11 without sessions, Produce v8 with
 * acks from all. Batches are neither copied nor looked into.
 */
import type {
  BrokerLink,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  ProducedPartition,
  ProduceRequest,
} from './cluster.ts';
import { byTopic } from './requests/by-topic.ts';
import type { Wire } from './wire.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

const fetchApi = { apiName: 'Fetch', apiKey: 1, apiVersion: 11, isFlexible: false } as const;
const produceApi = { apiName: 'Produce', apiKey: 0, apiVersion: 8, isFlexible: false } as const;
const acksAll = -1;

export class RawLink implements BrokerLink {
  readonly brokerId: number;
  readonly #wire: Wire;

  constructor(brokerId: number, wire: Wire) {
    this.brokerId = brokerId;
    this.#wire = wire;
  }

  get isOpen(): boolean {
    return this.#wire.isOpen;
  }

  async fetch(request: FetchRequest): Promise<FetchResponse> {
    const writer = new WireWriter(64 + request.partitions.length * 48);
    writer.int32(-1).int32(request.maxWaitMs).int32(request.minBytes).int32(request.maxBytes);
    writer.int8(request.isolation === 'read_committed' ? 1 : 0);
    // No fetch session: id 0, epoch -1.
    writer.int32(0).int32(-1);
    writer.array(byTopic(request.partitions), ([topic, items]) => {
      writer.string(topic).array(items, ({ partition, offset, bytesMax }) => {
        writer.int32(partition).int32(-1).int64(offset).int64(-1n).int32(bytesMax);
      });
    });
    writer.array([], () => undefined).string('');
    const api = { ...fetchApi, extraMs: request.maxWaitMs };
    const answer = await this.#wire.send(api, [writer.bytes]);
    try {
      return readFetch(answer.body, () => answer.release());
    } catch (error) {
      answer.release();
      throw error;
    }
  }

  async produce(request: ProduceRequest): Promise<readonly ProducedPartition[]> {
    const parts: Buffer[] = [];
    const head = new WireWriter(64);
    head.nullableString(null).int16(acksAll).int32(request.timeoutMs);
    const topics = byTopic(request.batches);
    head.int32(topics.length);
    parts.push(head.bytes);
    for (const [topic, items] of topics) {
      const named = new WireWriter(topic.length + 16);
      parts.push(named.string(topic).int32(items.length).bytes);
      for (const { partition, batch } of items) {
        parts.push(new WireWriter(8).int32(partition).int32(batch.length).bytes, batch);
      }
    }
    const api = { ...produceApi, extraMs: request.timeoutMs };
    const answer = await this.#wire.send(api, parts);
    try {
      return readProduce(answer.body);
    } finally {
      answer.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire[Symbol.asyncDispose]();
  }
}

function readFetch(body: Buffer, release: () => void): FetchResponse {
  const reader = new WireReader(body);
  const throttleMs = reader.int32();
  const errorCode = reader.int16();
  reader.int32();
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array((): FetchedPartition => {
      const partition = reader.int32();
      const partitionError = reader.int16();
      const highWatermark = reader.int64();
      const lastStableOffset = reader.int64();
      const logStartOffset = reader.int64();
      const aborted = reader.array(() => ({
        producerId: reader.int64(),
        firstOffset: reader.int64(),
      }));
      reader.int32();
      return {
        topic,
        partition,
        errorCode: errorCode === 0 ? partitionError : errorCode,
        highWatermark,
        lastStableOffset,
        logStartOffset,
        aborted,
        records: reader.bytes(),
      };
    });
  });
  return { partitions: topics.flat(), throttleMs, release };
}

function readProduce(body: Buffer): ProducedPartition[] {
  const reader = new WireReader(body);
  const topics = reader.array(() => {
    const topic = reader.string();
    return reader.array((): ProducedPartition => {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.int64();
      reader.int64();
      const logStartOffset = reader.int64();
      const recordErrors = reader.array(() => {
        const index = reader.int32();
        return `record ${index}: ${reader.nullableString() ?? ''}`;
      });
      const errorMessage = [reader.nullableString() ?? '', ...recordErrors.slice(0, 1)]
        .filter((text) => text !== '')
        .join('; ');
      return { topic, partition, errorCode, errorMessage, baseOffset, logStartOffset };
    });
  });
  return topics.flat();
}
