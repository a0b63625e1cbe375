/**
 * A partition at both ends as columns of numbers, so that millions of records can be compared after
 * hours of torment: where each record stands, what it is a copy of, and a digest of what is in it.
 */
import { crc32c } from '@node-rs/crc32';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { parseOrigin } from '../../src/records/origin.ts';
import { records } from '../bench/compare.ts';

export interface LogColumns {
  readonly offsets: readonly number[];
  /** At the source the record's own offset, at the target the one it is a copy of; -1: nobody's. */
  readonly origins: readonly number[];
  readonly digests: readonly number[];
}

export interface CopiedLog {
  readonly born: LogColumns;
  readonly copied: LogColumns;
}

export interface Compared {
  readonly lost: number;
  readonly twice: number;
  readonly outOfOrder: number;
}

function digest({ key, value, timestampMs }: DecodedRecord): number {
  const text = `${key?.length ?? -1}/${value?.length ?? -1}/${timestampMs}`;
  return crc32c(
    Buffer.concat([Buffer.from(text), key ?? Buffer.alloc(0), value ?? Buffer.alloc(0)]),
  );
}

export async function readColumns(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  isCopy: boolean,
): Promise<LogColumns> {
  const columns = { offsets: [] as number[], origins: [] as number[], digests: [] as number[] };
  for await (const record of records(cluster, topic, partition)) {
    const stamp = parseOrigin(record.headers.at(-1)?.value ?? Buffer.alloc(0));
    columns.offsets.push(record.offset);
    columns.origins.push(isCopy ? (stamp?.offset ?? -1) : record.offset);
    columns.digests.push(digest(record));
  }
  return columns;
}

/** A record that came with other contents counts as lost. */
export function compareColumns({ born, copied }: CopiedLog): Compared {
  const digests = new Map<number, number>();
  let [twice, outOfOrder, last] = [0, 0, -1];
  copied.origins.forEach((origin, at) => {
    if (digests.has(origin)) twice += 1;
    digests.set(origin, copied.digests[at] ?? -1);
    if (origin < last) outOfOrder += 1;
    last = Math.max(last, origin);
  });
  const lost = born.offsets.filter((offset, at) => digests.get(offset) !== born.digests[at]).length;
  return { lost, twice, outOfOrder };
}
