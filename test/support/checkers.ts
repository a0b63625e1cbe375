/**
 * The four invariants that all tests with copies hold to: nothing lost, nothing twice, order kept,
 * no translation ahead; and that a record arrives unchanged. Pure functions over records that were
 * read from both logs. Each gives the breaches as sentences: none is the proof.
 *
 * Who a copy is a copy of is told by `originOf`: the last stamp for the stamp lane; for the pass
 * lane something that the test wrote into the record itself.
 */
import { originKey, parseOrigin } from '../../src/records/origin.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';

/** The source offset (and the life of the topic) that a record at the target came from. */
export interface CopyOf {
  readonly offset: number;
  readonly generation: number;
}

export type OriginOf = (copy: DecodedRecord) => CopyOf | undefined;

/** One partition at both ends, read completely; without control batches and aborted records. */
export interface CopiedPartition {
  readonly source: readonly DecodedRecord[];
  readonly target: readonly DecodedRecord[];
  readonly originOf: OriginOf;
  /** Which life of the source topic `source` is; 1 unless told. */
  readonly generation?: number;
}

/** By the last stamp, which must name that place. */
export function stampedFrom(site: string, topic: string, partition: number): OriginOf {
  return ({ headers }) => {
    const last = headers.findLast(({ key }) => key.toString() === originKey);
    const origin = parseOrigin(last?.value ?? Buffer.alloc(0));
    const isFromThere =
      origin?.site === site && origin.topic === topic && origin.partition === partition;
    return isFromThere ? { offset: origin.offset, generation: origin.generation } : undefined;
  };
}

/**
 * Every record of the source is at the target, and nothing is there that the source does not have.
 */
export function lost(copied: CopiedPartition): string[] {
  const arrived = new Set<number>();
  const breaches: string[] = [];
  const known = new Set(copied.source.map(({ offset }) => offset));
  for (const record of copied.target) {
    const from = copied.originOf(record);
    if (from === undefined) breaches.push(`target@${record.offset} is nobody's copy`);
    else if (from.generation === generationOf(copied)) {
      arrived.add(from.offset);
      if (!known.has(from.offset)) {
        breaches.push(`target@${record.offset} is a copy of source@${from.offset}: not there`);
      }
    }
  }
  for (const { offset } of copied.source) {
    if (!arrived.has(offset)) breaches.push(`source@${offset} is not at the target`);
  }
  return breaches;
}

/** No record of the source is at the target more than once. */
export function twice({ target, originOf }: CopiedPartition): string[] {
  const first = new Map<string, number>();
  const breaches: string[] = [];
  for (const record of target) {
    const from = originOf(record);
    if (from === undefined) continue;
    const name = `${from.offset}#${from.generation}`;
    const before = first.get(name);
    if (before === undefined) first.set(name, record.offset);
    else breaches.push(`source@${from.offset} is at target@${before} and @${record.offset}`);
  }
  return breaches;
}

/**
 * Copies stand in the order of the source; a later life of the topic comes after an earlier one.
 */
export function outOfOrder({ target, originOf }: CopiedPartition): string[] {
  const breaches: string[] = [];
  let last: CopyOf | undefined;
  for (const record of target) {
    const from = originOf(record);
    if (from === undefined) continue;
    const isBehind =
      last !== undefined &&
      (from.generation < last.generation ||
        (from.generation === last.generation && from.offset < last.offset));
    if (isBehind) {
      breaches.push(`target@${record.offset}: source@${from.offset} after @${last?.offset ?? ''}`);
    }
    last = from;
  }
  return breaches;
}

/** Key, value, timestamp and headers are the source's, byte for byte, but for stamps at the end. */
export function changed(copied: CopiedPartition, stampsAdded: number): string[] {
  const bySource = new Map(copied.source.map((record) => [record.offset, record]));
  const breaches: string[] = [];
  for (const copy of copied.target) {
    const from = copied.originOf(copy);
    const source =
      from?.generation === generationOf(copied) ? bySource.get(from.offset) : undefined;
    if (source === undefined) continue;
    const differing = Object.entries({
      key: sameBytes(source.key, copy.key),
      value: sameBytes(source.value, copy.value),
      timestamp: source.timestampMs === copy.timestampMs,
      headers: sameHeaders(source.headers, copy.headers, stampsAdded),
    }).flatMap(([name, isSame]) => (isSame ? [] : [name]));
    if (differing.length > 0) {
      const where = `source@${source.offset} and target@${copy.offset}`;
      breaches.push(`${where} differ in ${differing.join(', ')}`);
    }
  }
  return breaches;
}

/** A translation, both offsets being those of the next record to read. */
export interface Translated {
  readonly source: number;
  readonly target: number;
  readonly certainty: 'exact' | 'lower_bound';
}

/**
 * No translation points past a copy of a record that has not been read; an exact one does not point
 * before a copy that has been.
 */
export function wronglyTranslated(
  translations: readonly Translated[],
  copied: CopiedPartition,
): string[] {
  const copies = copied.target.flatMap((record) => {
    const from = copied.originOf(record);
    const isOurs = from?.generation === generationOf(copied);
    return isOurs ? [{ source: from.offset, target: record.offset }] : [];
  });
  return translations.flatMap(({ source, target, certainty }) => {
    const words = `source@${source} became target@${target}`;
    const ahead = copies.find((copy) => copy.target < target && copy.source >= source);
    if (ahead !== undefined) {
      return [`${words}: ahead of unread source@${ahead.source} at @${ahead.target}`];
    }
    const again = copies.find((copy) => copy.target >= target && copy.source < source);
    if (certainty === 'lower_bound' || again === undefined) return [];
    return [`${words}, exact: but read source@${again.source} is at @${again.target}`];
  });
}

/** All but the translations: what every test of a copy ends with. */
export function copyBreaches(copied: CopiedPartition, stampsAdded = 1): string[] {
  return [
    ...lost(copied),
    ...twice(copied),
    ...outOfOrder(copied),
    ...changed(copied, stampsAdded),
  ];
}

function generationOf({ generation }: CopiedPartition): number {
  return generation ?? 1;
}

export function sameBytes(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}

type Headers = DecodedRecord['headers'];

function sameHeaders(source: Headers, copy: Headers, stampsAdded: number): boolean {
  const isSame = source.every((header, at) => {
    const found = copy[at];
    return found?.key.equals(header.key) === true && sameBytes(header.value, found.value);
  });
  const added = copy.slice(source.length);
  const areStamps = added.every(({ key }) => key.toString() === originKey);
  return isSame && areStamps && added.length === stampsAdded;
}
