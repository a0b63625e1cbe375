/**
 * Awkward records crossing from one site to the other: five topics, one per codec, written by a
 * foreign producer while the flow runs, and compared at both ends, record by record, by our own
 * decoder and by clients that are not ours.
 *
 * `CAUSEWAY_AWKWARD_RECORDS` says how many records each topic gets.
 */
import assert from 'node:assert/strict';
import type { PlainHeader, PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { stampOnly } from '../../src/topology/lane.ts';
import type { Lane, LaneChoice } from '../../src/topology/model.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { awkwardLoad, awkwardPartitions, perform, type LoadOptions } from './awkward-load.ts';
import { sameBytes } from './checkers.ts';
import { brokersOf, uniqueName, type TestSite } from './clusters.ts';
import { startFlow, type TestFlow } from './flows.ts';
import { digestOf, foreignDigests, stamped } from './foreign-digest.ts';
import { ForeignProducer, type ClientFamily } from './foreign-producer.ts';
import { readTopic } from './read-topic.ts';
import { kcat, runClient } from './tools.ts';
import { makeTopic, openTestCluster } from './topics.ts';
import { until } from './until.ts';

export const allCodecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const families: readonly ClientFamily[] = ['java', 'librdkafka'];
const recordsPerTopic = Number(process.env['CAUSEWAY_AWKWARD_RECORDS'] ?? 5_000);
const crossMsMax = 120_000;
/** Records that are years old must stay, and those that are years ahead be taken. */
export const anyTime: Readonly<Record<string, string>> = {
  'retention.ms': '-1',
  'message.timestamp.after.max.ms': '9223372036854775807',
};

/** A flow whose copies are compared. */
export interface Way {
  readonly from: TestSite;
  readonly to: TestSite;
  readonly lane: Lane;
}

interface Crossing extends Way {
  readonly topic: string;
  readonly load: LoadOptions;
}

export async function crossAwkwardRecords(
  family: ClientFamily,
  from: TestSite,
  to: TestSite,
  lane: Lane = 'stamp',
): Promise<void> {
  const way = { from, to, lane };
  const prefix = uniqueName(`awkward-${family}`);
  const nowMs = Date.now();
  const crossings = allCodecs.map((codec, index): Crossing => {
    const seed = index * 10 + families.indexOf(family) * 2 + (from === 'east' ? 0 : 1);
    const load = { seed, records: recordsPerTopic, nowMs, family, codec };
    return { ...way, topic: `${prefix}.${codec}`, load };
  });
  await using source = await openTestCluster(from);
  for (const { topic } of crossings) await makeTopic(source, topic, awkwardPartitions, anyTime);
  await using producer = await ForeignProducer.start(family, from);
  const produce = async (some: readonly Crossing[]): Promise<void> => {
    for (const { load, topic } of some) await perform(awkwardLoad(load), producer, topic);
  };
  // Some of it waits for the flow, some is written under its eyes.
  await produce(crossings.slice(0, 2));
  await using running = await startFlow({
    from,
    to,
    topics: `${prefix}.*`,
    settings: { lane: only(lane) },
  });
  await produce(crossings.slice(2));
  const topics = crossings.map(({ topic }) => topic);
  await allCopied(running, source, topics);
  const digests = await compareDigests(way, topics, families);
  for (const crossing of crossings) await compareRecords(crossing, digests);
  assert.deepEqual(running.events, []);
}

/** Waits until every partition has been copied to where its source ends now. */
export async function allCopied(
  { flow }: TestFlow,
  source: KafkaCluster,
  topics: readonly string[],
  timeoutMs = crossMsMax,
): Promise<void> {
  const metadata = await source.metadata();
  const partitions = topics.flatMap((topic) =>
    metadata.topics.get(topic)!.partitions.map(({ partition }) => ({ topic, partition })),
  );
  const ends = await source.listOffsets(partitions, 'latest');
  const positions = new Map<string, bigint | undefined>();
  const left = (): string[] => {
    for (const one of flow.status().partitions) {
      positions.set(`${one.topic}/${one.partition}`, one.position);
    }
    return ends.flatMap(({ topic, partition, offset }) => {
      const position = positions.get(`${topic}/${partition}`) ?? -1n;
      return position >= offset ? [] : [`${topic}/${partition} at ${position} of ${offset}`];
    });
  };
  await until('all records to be copied', () => left().length === 0, timeoutMs).catch(
    (error: unknown) => {
      const why = flow.status().why;
      throw new Error(`${left().join(', ')}; flow: ${why}`, { cause: error });
    },
  );
}

/** Digests of the source, as both families read it, by `topic/partition`. */
type Digests = ReadonlyMap<string, string>;

/** All topics in that lane. */
export function only(lane: Lane): LaneChoice {
  return { ...stampOnly, default: lane };
}

/**
 * Both ends read by clients that are not ours: the copies are what the sources are, stamped or not.
 */
async function compareDigests(
  { from, to, lane }: Way,
  topics: readonly string[],
  readers: readonly ClientFamily[],
): Promise<Digests> {
  const digests = new Map<string, string>();
  for (const family of readers) {
    const [source, found] = await Promise.all([
      foreignDigests(
        family,
        from,
        topics.flatMap((topic) => [
          { topic },
          lane === 'pass' ? { topic } : { topic, stampedFrom: `${from}/${topic}` },
        ]),
      ),
      foreignDigests(
        family,
        to,
        topics.map((topic) => ({ topic: `${from}.${topic}` })),
      ),
    ]);
    const plain = source.filter((_, index) => index % 2 === 0);
    const wanted = source.filter((_, index) => index % 2 === 1);
    assert.deepEqual(
      found.map(({ partitions }) => partitions),
      wanted.map(({ partitions }) => partitions),
      `as ${family} reads it`,
    );
    for (const { topic, partitions } of plain) {
      for (const [partition, digest] of partitions.entries()) {
        const name = `${topic}/${partition}`;
        assert.equal(digest, digests.get(name) ?? digest, `${name} as ${family} reads it`);
        digests.set(name, digest);
      }
    }
  }
  return digests;
}

/** What was meant, what the source has, what has arrived. */
async function compareRecords(crossing: Crossing, digests: Digests): Promise<void> {
  const { from, topic, load } = crossing;
  const { expected } = awkwardLoad(load);
  const source = await readTopic(brokersOf(from), topic);
  assert.equal(source.length, awkwardPartitions);
  for (const [partition, born] of source.entries()) {
    assertSame(born, expected[partition]!, `${topic}/${partition} as written`);
  }
  const count = await compareCopy(crossing, topic, digests);
  assert.ok(count > load.records * 0.95, `${count} records of ${load.records}`);
}

/** What is committed at both ends, by our own decoder and by others. Returns how many records. */
export async function compareEnds(
  way: Way,
  topic: string,
  readers: readonly ClientFamily[] = families,
): Promise<number> {
  return compareCopy(way, topic, await compareDigests(way, [topic], readers));
}

async function compareCopy(
  { from, to, lane }: Way,
  topic: string,
  digests: Digests,
): Promise<number> {
  const source = await readTopic(brokersOf(from), topic);
  const target = await readTopic(brokersOf(to), `${from}.${topic}`);
  assert.equal(target.length, source.length);
  let count = 0;
  for (const [partition, born] of source.entries()) {
    const where = `${topic}/${partition}`;
    const copied = target[partition]!;
    assert.equal(digestOf(born), digests.get(where), `${where} as others read it`);
    const wanted = lane === 'pass' ? born : stamped(born, from, topic, partition);
    assertSame(copied, wanted, `${where} as copied`);
    count += copied.length;
  }
  await readByKcat(to, `${from}.${topic}`, count);
  return count;
}

function assertSame(
  found: readonly PlainRecord[],
  wanted: readonly PlainRecord[],
  where: string,
): void {
  for (const [index, record] of wanted.entries()) {
    const one = found[index];
    if (one === undefined) break;
    const { timestampMs, key, value, headers = [] } = record;
    const differing = Object.entries({
      timestamp: one.timestampMs === timestampMs,
      key: sameBytes(one.key, key),
      value: sameBytes(one.value, value),
      headers: sameHeaders(one.headers ?? [], headers),
    }).flatMap(([name, isSame]) => (isSame ? [] : [name]));
    assert.equal(differing.join(), '', `${where}: record ${index} differs`);
  }
  assert.equal(found.length, wanted.length, `${where}: number of records`);
}

function sameHeaders(found: readonly PlainHeader[], wanted: readonly PlainHeader[]): boolean {
  return (
    found.length === wanted.length &&
    wanted.every(
      ({ key, value }, at) => found[at]!.key.equals(key) && sameBytes(found[at]!.value, value),
    )
  );
}

/** librdkafka checks every batch's checksum and finds nothing to say. */
export async function readByKcat(site: TestSite, topic: string, count: number): Promise<void> {
  const args = ['-b', brokersOf(site).join(), '-C', '-t', topic, '-o', 'beginning', '-e', '-q'];
  const { code, lines } = await runClient(await kcat(), [
    ...args,
    ...['-X', 'check.crcs=true', '-X', 'isolation.level=read_committed', '-f', '%p@%o\n'],
  ]);
  // One line per record; a complaint would be a line of another form.
  const complaints = lines.filter((line) => !/^\d+@\d+$/.test(line));
  assert.deepEqual({ code, complaints, count: lines.length }, { code: 0, complaints: [], count });
}
