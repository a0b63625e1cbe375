/**
 * Whole topics as digests, one per partition, read by clients that are not ours: when both ends
 * give the same, every record is the same.
 *
 * Digested is, per record in order: timestamp i64, key, value, header count i32, (name, value)*;
 * bytes with their length before them, i32, -1 for null. All big-endian, SHA-256.
 */
import { createHash } from 'node:crypto';
import { runProgram } from '../../src/sandbox/run-program.ts';
import { originKeyBytes } from '../../src/records/origin.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import { brokersOf, type TestSite } from './clusters.ts';
import { clientCommand, int32, sized, type ClientFamily } from './foreign-producer.ts';

export interface TopicDigest {
  readonly topic: string;
  /** `count digest` of each partition, by its number. */
  readonly partitions: readonly string[];
}

export interface DigestRequest {
  readonly topic: string;
  /** `site/topic`: as if each record had that stamp, with its own partition and offset. */
  readonly stampedFrom?: string;
}

const digestMsMax = 120_000;

/** What that family of clients finds committed in the topics, checksums checked. */
export async function foreignDigests(
  family: ClientFamily,
  site: TestSite,
  requests: readonly DigestRequest[],
): Promise<TopicDigest[]> {
  const [command, ...args] = await clientCommand(family, 'digest', site);
  const topics = requests.map(({ topic, stampedFrom }) =>
    stampedFrom === undefined ? topic : `${topic}=${stampedFrom}`,
  );
  const found: [topic: string, partition: number, digest: string][] = [];
  const others: string[] = [];
  const { code } = await runProgram(command, [...args, brokersOf(site).join(), ...topics], {
    env: process.env,
    signal: AbortSignal.timeout(digestMsMax),
    onLine: (line) => {
      const [word, topic = '', partition, count, digest] = line.split(' ');
      if (word !== 'digest') others.push(line);
      else found.push([topic, Number(partition), `${count} ${digest}`]);
    },
  });
  if (code !== 0) throw new Error(`${family} digest ended with ${code}: ${others.join('\n')}`);
  // Partitions come in their order, topics in the order asked for.
  return requests.map(({ topic }): TopicDigest => {
    const partitions: string[] = [];
    while (found[0]?.[0] === topic && found[0][1] === partitions.length) {
      partitions.push(found.shift()![2]);
    }
    return { topic, partitions };
  });
}

export function digestOf(records: readonly PlainRecord[]): string {
  const digest = createHash('sha256');
  for (const { timestampMs, key, value, headers = [] } of records) {
    const time = Buffer.alloc(8);
    time.writeBigInt64BE(BigInt(timestampMs));
    digest.update(Buffer.concat([time, sized(key), sized(value), int32(headers.length)]));
    for (const header of headers) digest.update(sized(header.key)).update(sized(header.value));
  }
  return `${records.length} ${digest.digest('hex')}`;
}

/** The records with the stamp of that place: what their copies must be. */
export function stamped(
  records: readonly (PlainRecord & { readonly offset: number })[],
  site: string,
  topic: string,
  partition: number,
): PlainRecord[] {
  return records.map((record) => ({
    ...record,
    headers: [
      ...(record.headers ?? []),
      {
        key: originKeyBytes,
        value: Buffer.from(`${site}/${topic}/${partition}@${record.offset}`),
      },
    ],
  }));
}
