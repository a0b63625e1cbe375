/**
 * A partition at both ends as columns of numbers, so that millions of records can be compared after
 * hours of torment: where each record stands, what it is a copy of, and a digest of what is in it.
 */
import { crc32c } from '@node-rs/crc32';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { parseOrigin } from '../../src/records/origin.ts';
import type { Lane } from '../../src/topology/model.ts';
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

async function readColumns(
  cluster: KafkaCluster,
  topic: string,
  partition: number,
  originOf: (record: DecodedRecord) => number,
): Promise<LogColumns> {
  const columns = { offsets: [] as number[], origins: [] as number[], digests: [] as number[] };
  for await (const record of records(cluster, topic, partition)) {
    columns.offsets.push(record.offset);
    columns.origins.push(originOf(record));
    columns.digests.push(digest(record));
  }
  return columns;
}

/** How copies were carried: `both` where the lane was changed on the way. */
export type Carried = Lane | 'both';

export const lanes = ['stamp', 'pass', 'both'] as const satisfies readonly Carried[];

/**
 * Both ends of a partition. A copy without a stamp is known by its key: each record is to have one
 * of its own, and no headers.
 */
export async function readBoth(
  source: KafkaCluster,
  target: KafkaCluster,
  place: { readonly topic: string; readonly partition: number },
  carried: Carried,
): Promise<CopiedLog> {
  const { topic, partition } = place;
  const keys = new Map<string, number>();
  const born = await readColumns(source, topic, partition, ({ offset, key }) => {
    keys.set(key?.toString('latin1') ?? '', offset);
    return offset;
  });
  if (keys.size !== born.offsets.length) throw new Error(`${topic}/${partition}: a key twice`);
  const copied = await readColumns(target, `${source.name}.${topic}`, partition, (record) => {
    const stamp = record.headers.at(-1);
    if ((stamp === undefined ? 'pass' : 'stamp') === carried || carried === 'both') {
      if (stamp !== undefined) return parseOrigin(stamp.value ?? Buffer.alloc(0))?.offset ?? -1;
      return keys.get(record.key?.toString('latin1') ?? '') ?? -1;
    }
    return -1;
  });
  return { born, copied };
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
