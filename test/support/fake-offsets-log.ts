/** A cluster that is only its `__consumer_offsets`, in memory, and a coordinator to be asked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { logPartitionOf } from '../../src/groups/commit-table.ts';
import type {
  BrokerLink,
  FetchRequest,
  FetchResponse,
  GroupOffset,
  ListedOffset,
  TopicMetadata,
} from '../../src/kafka/cluster.ts';
import { WireWriter } from '../../src/kafka/wire-writer.ts';
import { attributeBits } from '../../src/records/batch-header.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';

const topic = '__consumer_offsets';
const outOfRange = 1;

interface Written {
  readonly from: number;
  readonly bytes: Buffer;
}

export interface FakeCommit {
  readonly group: string;
  readonly partition?: number;
  /** null: deleted. */
  readonly offset: bigint | null;
  readonly version?: number;
  /** Of a transaction of that producer. */
  readonly producerId?: bigint;
}

export class FakeOffsetsLog {
  readonly name = 'east';
  /** Kafka's error code of every fetch. */
  fetchError = 0;
  isThere = true;
  fetches = 0;
  readonly asked: string[] = [];
  /** What the coordinator answers. */
  readonly answers = new Map<string, GroupOffset[]>();
  topicId = 'first';
  #parts: { start: number; end: number; batches: Written[] }[];

  constructor(partitions = 3) {
    this.#parts = Array.from({ length: partitions }, () => ({ start: 0, end: 0, batches: [] }));
  }

  partitionOf(group: string): number {
    return logPartitionOf(group, this.#parts.length);
  }

  commit({ group, partition = 0, offset, version = 3, producerId }: FakeCommit): void {
    const key = new WireWriter().int16(1).string(group).string('orders').int32(partition).bytes;
    const value = new WireWriter()
      .int16(version)
      .int64(offset ?? 0n)
      .int32(-1);
    const bytes = offset === null ? null : value.string('').int64(0n).bytes;
    const attributes = producerId === undefined ? 0 : attributeBits.transactional;
    this.#append(this.partitionOf(group), key, bytes, attributes, producerId);
  }

  append(partition: number, key: Buffer): void {
    this.#append(partition, key, null, 0, undefined);
  }

  /** The log is made anew, empty: what it holds, or that it begins behind where it ended. */
  remake(start = 0): void {
    this.#parts = this.#parts.map(() => ({ start, end: start, batches: [] }));
  }

  topicMetadata(): Promise<TopicMetadata | undefined> {
    const partitions = this.#parts.map((_, partition) => {
      return { partition, leader: 1, leaderEpoch: 0, replicas: [1] };
    });
    const found = { name: topic, topicId: this.topicId, isInternal: true, partitions };
    return Promise.resolve(this.isThere ? found : undefined);
  }

  listOffsets(
    asked: readonly { topic: string; partition: number }[],
    spec: unknown,
  ): Promise<ListedOffset[]> {
    return Promise.resolve(
      asked.map(({ partition }) => {
        const part = this.#parts[partition]!;
        const offset = BigInt(spec === 'earliest' ? part.start : part.end);
        return { topic, partition, errorCode: 0, offset, timestampMs: -1, leaderEpoch: 0 };
      }),
    );
  }

  openLink(): Promise<BrokerLink> {
    let isOpen = true;
    return Promise.resolve({
      brokerId: 1,
      get isOpen() {
        return isOpen;
      },
      fetch: async (request: FetchRequest) => this.#fetch(request, () => isOpen),
      produce: () => Promise.reject(new Error('not here')),
      [Symbol.asyncDispose]: () => {
        isOpen = false;
        return Promise.resolve();
      },
    });
  }

  listGroups() {
    return Promise.resolve(
      [...this.answers.keys()].map((group) => {
        return { group, protocolType: 'consumer', state: 'Empty', groupType: 'classic' };
      }),
    );
  }

  groupOffsets(group: string): Promise<GroupOffset[]> {
    this.asked.push(group);
    return Promise.resolve(this.answers.get(group) ?? []);
  }

  groupMembers(group: string) {
    return Promise.resolve({ group, state: 'Empty', memberCount: 0 });
  }

  commitGroupOffsets() {
    return Promise.resolve([]);
  }

  async #fetch(request: FetchRequest, isOpen: () => boolean): Promise<FetchResponse> {
    this.fetches += 1;
    const until = performance.now() + Math.min(request.maxWaitMs, 50);
    const hasNews = (): boolean =>
      this.fetchError !== 0 ||
      request.partitions.some(({ partition, offset }) => {
        return Number(offset) !== this.#parts[partition]!.end;
      });
    while (isOpen() && !hasNews() && performance.now() < until) await sleep(2);
    const partitions = request.partitions.map(({ partition, offset }) => {
      const part = this.#parts[partition]!;
      const from = Number(offset);
      const isOutside = from < part.start || from > part.end;
      const records = part.batches.filter((batch) => batch.from >= from).map(({ bytes }) => bytes);
      return {
        topic,
        partition,
        errorCode: this.fetchError === 0 && isOutside ? outOfRange : this.fetchError,
        highWatermark: BigInt(part.end),
        lastStableOffset: 0n,
        logStartOffset: BigInt(part.start),
        aborted: [],
        records: isOutside ? Buffer.alloc(0) : Buffer.concat(records),
      };
    });
    return { partitions, areOthersUnchanged: true, throttleMs: 0, release: () => undefined };
  }

  #append(
    partition: number,
    key: Buffer,
    value: Buffer | null,
    attributes: number,
    producerId: bigint | undefined,
  ): void {
    const part = this.#parts[partition]!;
    const options = { baseOffset: part.end, attributes, producerId: producerId ?? -1n };
    const bytes = encodeBatch([{ key, value, timestampMs: 1 }], options);
    part.batches.push({ from: part.end, bytes });
    part.end += 1;
  }
}
