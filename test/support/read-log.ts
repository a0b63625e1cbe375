/**
 * A partition read from the start of its log to where it ends when reading begins, batch by batch,
 * markers and uncommitted records included: what everything that compares logs is built on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { completeBatches } from '../../src/records/batch-header.ts';
import { decodeBatches, type DecodedBatch } from '../../src/records/decode-records.ts';
import { readBatch, type SourceBatch } from '../../src/records/source-batch.ts';

const fetchBytes = 8_000_000;
const waitMsMax = 20_000;
/** The partition was just made, or its leader has moved. */
const passing: ReadonlySet<number> = new Set([3, 5, 6, 9, 13, 75, 76, 100]);

/**
 * @param isKept false: what is yielded points into memory that is used again, and is valid until
 * the next one only
 * @throws Error when the log cannot be read, or has no leader for too long
 */
export async function* readLog(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  isKept = true,
): AsyncIterable<DecodedBatch> {
  for await (const { bytes, wantedFrom } of readRaw(cluster, topic, partition, isKept)) {
    for (const batch of decodeBatches(bytes, `${topic}/${partition} at ${cluster.name}`)) {
      const records = batch.records.filter((record) => record.offset >= wantedFrom);
      yield { ...batch, records };
    }
  }
}

/** A batch as it is in the log; records below `wantedFrom` are not part of it any more. */
export interface RawBatch extends SourceBatch {
  readonly wantedFrom: number;
}

/** The same, batches as they are: for those who look at their headers. */
export async function* readRaw(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  isKept = true,
): AsyncIterable<RawBatch> {
  const where = `${topic}/${partition} at ${cluster.name}`;
  const start = await endOf(cluster, topic, partition, 'earliest');
  const end = await endOf(cluster, topic, partition, 'latest');
  const deadline = performance.now() + waitMsMax;
  for (let offset = start; offset < end;) {
    const leader = (await cluster.metadata()).topics.get(topic)?.partitions[partition]?.leader;
    await using link = await cluster.openLink(leader ?? -1, 'test');
    let errorCode = 0;
    while (offset < end && errorCode === 0) {
      const response = await link.fetch({
        partitions: [{ topic, partition, offset: BigInt(offset), bytesMax: fetchBytes }],
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: fetchBytes,
        isolation: 'read_uncommitted',
      });
      try {
        const [fetched] = response.partitions;
        errorCode = fetched?.errorCode ?? -1;
        const wantedFrom = offset;
        const found = fetched?.records ?? Buffer.alloc(0);
        const bytes = isKept ? Buffer.from(found) : found;
        for (const { from, to } of completeBatches(bytes)) {
          const batch = readBatch(bytes.subarray(from, to), where);
          yield { ...batch, wantedFrom };
          offset = Math.max(offset, batch.lastOffset + 1);
        }
      } finally {
        response.release();
      }
    }
    if (errorCode === 0) continue;
    if (!passing.has(errorCode) || performance.now() > deadline) {
      throw new Error(`${where}@${offset}: Kafka error ${errorCode}`);
    }
    await sleep(50);
  }
}

async function endOf(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  spec: 'earliest' | 'latest',
): Promise<number> {
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    const [listed] = await cluster.listOffsets([{ topic, partition }], spec);
    if (listed?.errorCode === 0) return Number(listed.offset);
    const code = listed?.errorCode ?? -1;
    if (!passing.has(code) || performance.now() > deadline) {
      throw new Error(`${topic}/${partition} at ${cluster.name}: Kafka error ${code}`);
    }
    await sleep(50);
  }
}
