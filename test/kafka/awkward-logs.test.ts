import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { attributeBits, batchAt } from '../../src/records/batch-header.ts';
import { encodeBatch, type PlainRecord } from '../../src/records/build-batch.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { SourceBatch } from '../../src/records/source-batch.ts';
import type { PartitionStatus } from '../../src/flow/status.ts';
import { allCodecs, allCopied, compareEnds, only, type Way } from '../support/awkward-crossing.ts';
import { uniqueName } from '../support/clusters.ts';
import { startFlow, type TestFlow } from '../support/flows.ts';
import { ForeignProducer, type ClientFamily } from '../support/foreign-producer.ts';
import { readRaw } from '../support/read-log.ts';
import {
  appendBatch,
  appendRecords,
  makeTopic,
  openTestCluster,
  readAll,
} from '../support/topics.ts';
import { until } from '../support/until.ts';

const dayMs = '86400000';

interface Direction extends Way {
  /** Who else reads both ends. */
  readonly reader: ClientFamily;
}

const directions: readonly Direction[] = [
  { from: 'east', to: 'west', lane: 'stamp', reader: 'java' },
  { from: 'west', to: 'east', lane: 'stamp', reader: 'librdkafka' },
  { from: 'east', to: 'west', lane: 'pass', reader: 'librdkafka' },
];

function tiny(count: number, text = 'v'): PlainRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(`${text}${index % 10}`),
    timestampMs: Date.now(),
  }));
}

async function setConfig(
  cluster: KafkaCluster,
  topic: string,
  name: string,
  value: string,
): Promise<void> {
  await cluster.alterTopicConfigs(topic, { [name]: value });
  await until(`${name} of ${topic} to be ${value}`, async () => {
    const entries = (await cluster.topicConfigs([topic])).get(topic);
    return entries?.find((entry) => entry.name === name)?.value === value;
  });
}

/** The broker describes a limit before it keeps to it: until it does. */
async function setBytesMax(cluster: KafkaCluster, topic: string, bytes: number): Promise<void> {
  await setConfig(cluster, topic, 'max.message.bytes', String(bytes));
  const value = Buffer.alloc(bytes + 1_000);
  const corrupt = encodeBatch([{ key: null, value, timestampMs: 0 }], { codec: 'none' });
  corrupt.writeUInt32BE(~corrupt.readUInt32BE(batchAt.crc) >>> 0, batchAt.crc);
  await until(`what is larger than ${bytes} to be refused for that by ${topic}`, async () => {
    const { errorCode } = await appendBatch(cluster, topic, 0, corrupt);
    // Sizes are looked at before checksums: nothing is taken in.
    assert.ok(errorCode === 10 || errorCode === 2, `Kafka error ${errorCode}`);
    return errorCode === 10;
  });
}

async function remoteTopic(target: KafkaCluster, topic: string): Promise<void> {
  await until(`${topic} to be made`, async () => (await target.metadata()).topics.has(topic));
}

function partitionOf({ flow }: TestFlow, partition: number): PartitionStatus | undefined {
  return flow.status().partitions.find((one) => one.partition === partition);
}

function hasBit(batch: SourceBatch, bit: number): boolean {
  return (batch.bytes.readInt16BE(batchAt.attributes) & bit) !== 0;
}

async function batchesOf(cluster: KafkaCluster, topic: string): Promise<SourceBatch[]> {
  const batches: SourceBatch[] = [];
  for await (const batch of readRaw(cluster, topic, 0)) batches.push(batch);
  return batches;
}

/** Keys over and over, tombstones too, by producers that remain known by an emptied batch. */
async function appendForTheCleaner(cluster: KafkaCluster, topic: string): Promise<void> {
  // Ahead of the markers, so that every round begins a segment: they roll by the time of records.
  const startMs = Date.now() + 60_000;
  const round = (number: number, keys: readonly string[]): PlainRecord[] =>
    keys.map((key, index) => ({
      key: Buffer.from(key),
      value: (number + index) % 5 === 0 ? null : Buffer.from(`round ${number} of ${key}`),
      timestampMs: startMs + number * 2_000 + index,
      headers: [{ key: Buffer.from('round'), value: Buffer.from([number]) }],
    }));
  const keys = Array.from({ length: 12 }, (_, index) => `key ${index}`);
  for (const [number, codec] of allCodecs.entries()) {
    const once = [`once ${number}`, `twice ${number}`];
    const records = round(number, [...keys.slice(0, 6), ...once, ...keys.slice(6)]);
    const { producerId, producerEpoch } = await cluster.fence({
      topic,
      partition: 0,
      transactionalId: `${topic}-${number}`,
      onProducerId: () => Promise.resolve(),
    });
    const options = { codec, producerId, producerEpoch };
    for (const [baseSequence, part] of [
      [0, records],
      [records.length, round(number, keys)],
    ] as const) {
      const batch = encodeBatch(part, { ...options, baseSequence });
      assert.equal((await appendBatch(cluster, topic, 0, batch)).errorCode, 0);
    }
  }
  await appendRecords(cluster, topic, 0, round(10, keys), 'lz4');
  // What is in the last segment is never cleaned.
  await appendRecords(cluster, topic, 0, round(20, ['last']));
}

for (const { from, to, lane, reader } of directions) {
  const settings = { lane: only(lane) };
  // Else a limit that a test lowers would be raised again, to what the source allows.
  const kept = { ...settings, sync: { configs: false, acls: false } } as const;
  describe(`logs of every kind, ${from}->${to}, lane ${lane}`, () => {
    test('a compacted log: holes, emptied batches, tombstones, delete horizons', async () => {
      await using source = await openTestCluster(from);
      const topic = uniqueName('compacted');
      await makeTopic(source, topic, 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '1000',
        'min.cleanable.dirty.ratio': '0.001',
        'delete.retention.ms': dayMs,
      });
      await appendForTheCleaner(source, topic);
      const keys = async (): Promise<(string | undefined)[]> =>
        (await readAll(source, topic, 0)).map(({ key }) => key?.toString());
      await until(
        'the cleaner to leave one record a key',
        async () => {
          const found = await keys();
          return new Set(found).size === found.length;
        },
        60_000,
      );
      const batches = await batchesOf(source, topic);
      const places = ({ baseOffset, lastOffset }: SourceBatch): number =>
        lastOffset - baseOffset + 1;
      assert.ok(batches.some((one) => one.recordCount > 0 && one.recordCount < places(one)));
      assert.ok(batches.some((one) => one.recordCount === 0));
      assert.ok(batches.some((one) => hasBit(one, attributeBits.deleteHorizon)));
      // So that the copy, which is set up as its source, is not cleaned while it is compared.
      await setConfig(source, topic, 'min.compaction.lag.ms', dayMs);
      await using running = await startFlow({ from, to, topics: topic, settings });
      await allCopied(running, source, [topic]);
      // It is not passed, whatever was asked for.
      const stamped = { from, to, lane: 'stamp' } as const;
      const why =
        lane === 'stamp'
          ? ''
          : `stamp lane, not pass: cleanup.policy of ${topic} at ${from} is compact`;
      assert.equal(partitionOf(running, 0)?.why, why);
      assert.equal(await compareEnds(stamped, topic, [reader]), (await keys()).length);
      await using target = await openTestCluster(to);
      for (const batch of await batchesOf(target, `${from}.${topic}`)) {
        assert.ok(!hasBit(batch, attributeBits.deleteHorizon));
        if (!batch.isControl) assert.equal(batch.recordCount, places(batch));
      }
      assert.deepEqual(running.events, []);
    });

    test('the time of appending, at the source, is the time of the copies', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('append-time');
      await makeTopic(source, topic, 1);
      const records = [0, 1, 1_000, Date.now() - 1e10].map((timestampMs) => ({
        key: Buffer.from('k'),
        value: Buffer.from('v'.repeat(200)),
        timestampMs,
      }));
      await appendRecords(source, topic, 0, records);
      await setConfig(source, topic, 'message.timestamp.type', 'LogAppendTime');
      const isAppendTime = async (): Promise<boolean> => {
        await appendRecords(source, topic, 0, records);
        return (await batchesOf(source, topic)).at(-1)?.isLogAppendTime === true;
      };
      await until('times to be given by the broker', isAppendTime);
      for (const codec of allCodecs) await appendRecords(source, topic, 0, records, codec);
      await setConfig(source, topic, 'message.timestamp.type', 'CreateTime');
      await until('times to be taken again', async () => !(await isAppendTime()));
      for (const codec of allCodecs) await appendRecords(source, topic, 0, records, codec);
      await using running = await startFlow({ from, to, topics: topic, settings });
      await allCopied(running, source, [topic]);
      await compareEnds({ from, to, lane }, topic, [reader]);
      const copied = await batchesOf(target, `${from}.${topic}`);
      assert.ok(copied.every((batch) => !batch.isLogAppendTime));
      const times = new Set((await readAll(source, topic, 0)).map((one) => one.timestampMs));
      assert.ok(times.has(0) && times.size > 4);
    });

    test('what is behind an open transaction waits until it is decided', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('open');
      await makeTopic(source, topic, 2);
      await using producer = await ForeignProducer.start(reader, from);
      await producer.open(1, { 'transactional.id': topic });
      await using running = await startFlow({ from, to, topics: topic, settings });
      const endOf = async (partition: number): Promise<number> =>
        Number((await source.listOffsets([{ topic, partition }], 'latest'))[0]!.offset);
      for (const decide of ['commit', 'abort', 'commit'] as const) {
        await appendRecords(source, topic, 0, tiny(10), 'zstd');
        const stable = await endOf(0);
        await producer.use(1, topic);
        await producer.begin();
        await producer.send(tiny(7, decide).map((record) => ({ ...record, partition: 0 })));
        await producer.flush();
        await appendRecords(source, topic, 0, tiny(10), 'snappy');
        await appendRecords(source, topic, 1, tiny(10));
        const other = await endOf(1);
        // The other partition shows that time has passed.
        await until(
          'the other partition',
          () => partitionOf(running, 1)?.position === BigInt(other),
        );
        const held = await until('all that is stable', () => {
          const found = partitionOf(running, 0);
          return found?.position === BigInt(stable) && found;
        });
        assert.deepEqual([held.sourceEnd, held.lagRecords], [BigInt(stable), 0n]);
        const copied = await readAll(target, `${from}.${topic}`, 0);
        const last = (await readAll(source, topic, 0)).find(({ offset }) => offset === stable - 1);
        assert.deepEqual(copied.at(-1)?.value, last?.value);
        await producer[decide]();
        await allCopied(running, source, [topic]);
      }
      assert.equal(await compareEnds({ from, to, lane }, topic, [reader]), 3 * 30 + 2 * 7);
      assert.deepEqual(running.events, []);
    });

    test('no batch is larger than the remote topic takes, also when that is lowered', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('split');
      const remote = `${from}.${topic}`;
      await makeTopic(source, topic, 1, { 'max.message.bytes': '200000' });
      await using running = await startFlow({ from, to, topics: topic, settings: kept });
      await remoteTopic(target, remote);
      const append = async (): Promise<void> => {
        // Stamps make them several times larger than they are here.
        for (const codec of allCodecs) await appendRecords(source, topic, 0, tiny(15_000), codec);
        // Well before the limit would be read again by itself.
        await allCopied(running, source, [topic], 40_000);
      };
      await append();
      const before = await batchesOf(target, remote);
      const largest = Math.max(...before.map(({ bytes }) => bytes.length));
      const isRight =
        lane === 'pass' ? largest <= 200_000 : largest > 200_000 && largest <= 265_536;
      assert.ok(isRight, `${largest} bytes`);
      await setBytesMax(target, remote, 60_000);
      await append();
      const after = (await batchesOf(target, remote)).slice(before.length);
      assert.ok(after.every(({ bytes }) => bytes.length <= 60_000));
      assert.equal(await compareEnds({ from, to, lane }, topic, [reader]), 150_000);
      assert.deepEqual(running.events, []);
    });

    test('a record that is too large stops its partition alone, until it is let in', async () => {
      await using source = await openTestCluster(from);
      await using target = await openTestCluster(to);
      const topic = uniqueName('too-large');
      const remote = `${from}.${topic}`;
      await makeTopic(source, topic, 2);
      const timings = { retryDelayMsMax: 1_000 };
      await using running = await startFlow({ from, to, topics: topic, timings, settings: kept });
      await remoteTopic(target, remote);
      await setBytesMax(target, remote, 100_000);
      const large = { key: null, value: Buffer.alloc(150_000, 'large'), timestampMs: Date.now() };
      await appendRecords(source, topic, 0, tiny(5));
      await appendRecords(source, topic, 0, [...tiny(2), large, ...tiny(2)]);
      await appendRecords(source, topic, 0, tiny(5));
      const paused = await until('the pause', () => {
        const found = partitionOf(running, 0);
        return found?.state === 'paused' && found.position === 7n && found;
      });
      const wanted = new RegExp(
        `^record_too_large: ${topic}/0@7: \\d+ bytes are more than ${remote} takes`,
      );
      assert.match(paused.why, wanted);
      await appendRecords(source, topic, 1, tiny(9));
      await until('the other partition', () => partitionOf(running, 1)?.position === 9n);
      // Each second it is tried again, which is no reason to say anything else.
      for (let look = 0; look < 40; look += 1) {
        assert.equal(running.flow.status().state, 'blocked');
        assert.equal(partitionOf(running, 0)?.why, paused.why);
        await sleep(50);
      }
      assert.equal((await readAll(target, remote, 0)).length, 7);
      await setConfig(target, remote, 'max.message.bytes', '1000000');
      await allCopied(running, source, [topic]);
      assert.equal(await compareEnds({ from, to, lane }, topic, [reader]), 24);
      await until('the flow to be current', () => running.flow.status().state === 'current');
      assert.deepEqual(running.events, []);
    });
  });
}
