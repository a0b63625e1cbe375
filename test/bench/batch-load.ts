/**
 * Fills a topic with batches of exactly so many records. Kafka's own load generator makes batches
 * by bytes and by time, and takes longer than anybody waits for many partitions of tiny ones.
 */
import type { ProducePartition } from '../../src/kafka/cluster.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { write } from './write-batches.ts';

export interface BatchLoad {
  readonly topic: string;
  readonly records: number;
  readonly bytesPerRecord: number;
  readonly partitions: number;
  readonly recordsPerBatch: number;
  readonly codec: string;
}

const codecNames: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const requestBytesMax = 4 * 1024 * 1024;
const requestsMax = 5;
const variants = 16;
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export function isCodec(name: string): name is Codec {
  return codecNames.includes(name);
}

/** Its one broker leads all partitions. */
export async function loadBatches(cluster: KafkaCluster, load: BatchLoad): Promise<void> {
  const broker = [...(await cluster.metadata()).brokers.keys()][0] ?? 0;
  await using link = await cluster.openLink(broker, 'bench');
  const left = requests(load);
  const writers = Array.from({ length: requestsMax }, async () => {
    for (const batches of left) await write(link, batches);
  });
  await Promise.all(writers);
}

function* requests({ topic, partitions, ...load }: BatchLoad): Iterable<ProducePartition[]> {
  const { records, recordsPerBatch } = load;
  const whole = Array.from({ length: variants }, () => someBatch(recordsPerBatch, load));
  let request: ProducePartition[] = [];
  let bytes = 0;
  for (let written = 0, at = 0; written < records; written += recordsPerBatch, at += 1) {
    const left = records - written;
    const batch = left < recordsPerBatch ? someBatch(left, load) : whole[at % variants];
    if (batch === undefined) return;
    request.push({ topic, partition: at % partitions, batch });
    bytes += batch.length;
    // A request takes one batch of a partition.
    if (request.length < partitions && bytes < requestBytesMax) continue;
    yield request;
    request = [];
    bytes = 0;
  }
  if (request.length > 0) yield request;
}

type Kind = Pick<BatchLoad, 'bytesPerRecord' | 'codec'>;

function someBatch(count: number, { bytesPerRecord, codec }: Kind): Buffer {
  if (!isCodec(codec)) throw new Error(`no codec ${codec}; there are: ${codecNames.join(', ')}`);
  const timestampMs = Date.now();
  const records = Array.from({ length: count }, () => {
    const codes = Array.from({ length: bytesPerRecord }, () =>
      letters.charCodeAt(Math.floor(Math.random() * letters.length)),
    );
    return { key: null, value: Buffer.from(codes), timestampMs };
  });
  return encodeBatch(records, { codec });
}
