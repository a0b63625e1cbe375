/**
 * Records that carry a number of their own, in a header, counting up in the order of the log that
 * they are written to: what test/support/lineage.ts tells them by.
 */
import kafkajs from 'kafkajs';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import type { DecodedBatch, DecodedRecord } from '../../src/records/decode-records.ts';
import type { LogReading } from './lineage.ts';
import { readLog } from './read-log.ts';
import { recordsOf } from './read-topic.ts';
import type { Seeded } from './seeded.ts';
import { appendRecords } from './topics.ts';

const header = 'number';
const batchRecordsMax = 500;
const allCodecs: readonly Codec[] = ['none', 'lz4', 'snappy', 'zstd', 'gzip'];
/** What kafkajs reads without further packages. */
export const plainCodecs: readonly Codec[] = ['none', 'gzip'];

export function numberOf({ headers }: Pick<DecodedRecord, 'headers'>): number {
  const found = headers.find(({ key }) => key.toString() === header)?.value;
  if (found === undefined || found === null) throw new Error('a record without a number');
  return Number(found.toString());
}

/** The partition as it stands, without markers and aborted records. */
export async function readNumbered(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
): Promise<LogReading> {
  const batches: DecodedBatch[] = [];
  for await (const batch of readLog(cluster, topic, partition)) batches.push(batch);
  const at = [{ topic, partition }];
  const [start] = await cluster.listOffsets(at, 'earliest');
  const [end] = await cluster.listOffsets(at, 'latest');
  if (start?.errorCode !== 0 || end?.errorCode !== 0) {
    throw new Error(`${topic}/${partition} at ${cluster.name} has no ends`);
  }
  const records = recordsOf(batches, 'committed');
  return {
    start: Number(start.offset),
    end: Number(end.offset),
    records: records.map((record) => ({ offset: record.offset, id: numberOf(record) })),
  };
}

/** What makes a record of a number what it is; key, value and time as it likes. */
export type Dress = (number: number) => Omit<PlainRecord, 'headers'>;

const plain: Dress = (number) => ({
  key: null,
  value: Buffer.from(`record ${number}`),
  timestampMs: Date.now(),
});

/** Writes to one partition, one after the other. */
export class NumberedLog {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly partition: number;
  readonly #codecs: readonly Codec[];
  #next = 0;

  constructor(cluster: KafkaCluster, topic: string, partition: number, codecs = allCodecs) {
    this.cluster = cluster;
    this.topic = topic;
    this.partition = partition;
    this.#codecs = codecs;
  }

  /** Numbers given out so far. */
  get count(): number {
    return this.#next;
  }

  take(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  /** In batches of any size and codec. */
  async append(count: number, random: Seeded, dress: Dress = plain): Promise<void> {
    for (let left = count; left > 0;) {
      const some = Math.min(left, random.int(1, batchRecordsMax));
      const records = Array.from({ length: some }, (): PlainRecord => {
        const number = this.take();
        const value = Buffer.from(String(number));
        return { ...dress(number), headers: [{ key: Buffer.from(header), value }] };
      });
      const codec = random.pick(this.#codecs);
      await appendRecords(this.cluster, this.topic, this.partition, records, codec);
      left -= some;
    }
  }
}

/**
 * Pairs of transactions that overlap in all the logs, which are of one topic; about a third of them
 * is aborted. So there are markers and dead records everywhere.
 */
export async function writeTransactions(
  brokers: readonly string[],
  logs: readonly NumberedLog[],
  pairs: number,
  random: Seeded,
): Promise<void> {
  const { Kafka, logLevel } = kafkajs;
  // The first transaction of a site makes the log of their coordinators.
  const retry = { retries: 20, maxRetryTime: 2_000 };
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry });
  const topic = logs[0]?.topic ?? '';
  const producers = [0, 1].map((index) =>
    kafka.producer({
      transactionalId: `${topic}-${index}`,
      maxInFlightRequests: 1,
      idempotent: true,
    }),
  );
  const messages = (): kafkajs.Message[] =>
    logs.flatMap((log) =>
      Array.from({ length: random.int(1, 12) }, () => {
        const number = String(log.take());
        return { value: number, partition: log.partition, headers: { [header]: number } };
      }),
    );
  for (const producer of producers) await producer.connect();
  for (let pair = 0; pair < pairs; pair += 1) {
    const open: kafkajs.Transaction[] = [];
    for (const producer of producers) open.push(await producer.transaction());
    for (const transaction of [...open, ...open]) {
      await transaction.send({ topic, messages: messages() });
    }
    for (const transaction of random.chance(0.5) ? open : open.reverse()) {
      if (random.chance(0.35)) await transaction.abort();
      else await transaction.commit();
    }
  }
  for (const producer of producers) await producer.disconnect();
}
