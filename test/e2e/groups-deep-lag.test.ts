/**
 * Two hundred groups at random positions, deep lag included, at both ends of a flow: the agent's
 * answer for each partition is the very record that the logs themselves say is next.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import kafkajs from 'kafkajs';
import type { TranslateJson } from '../../src/client/answers.ts';
import { parseOrigin } from '../../src/records/origin.ts';
import { startAgent } from '../support/agent-process.ts';
import { brokersOf, uniqueName } from '../support/clusters.ts';
import { writeMesh } from '../support/mesh.ts';
import { readTopic } from '../support/read-topic.ts';
import { Seeded } from '../support/seeded.ts';
import { appendRecords, makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const partitions = 4;
const groupsPerSite = 100;
const recordsPerPartition = 30_000;
const transactions = 60;

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-groups-'));
after(() => rmSync(dir, { recursive: true }));

/** Transactions, every third aborted: holes in the source that the copy does not have. */
async function writeTransactions(topic: string): Promise<void> {
  const { Kafka, logLevel, Partitioners } = kafkajs;
  const kafka = new Kafka({ brokers: brokersOf('east'), logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    transactionalId: uniqueName('holes'),
    maxInFlightRequests: 1,
    idempotent: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  for (let round = 0; round < transactions; round += 1) {
    const transaction = await producer.transaction();
    const messages = Array.from({ length: 1 + (round % 17) }, (_, index) => ({
      value: `transaction ${round} record ${index}`,
      partition: (round + index) % partitions,
    }));
    await transaction.send({ topic, messages });
    if (round % 3 === 2) await transaction.abort();
    else await transaction.commit();
  }
  await producer.disconnect();
}

interface Pair {
  readonly source: number;
  readonly target: number;
}

/** What the logs say: of each partition the copied records, by their places at both ends. */
async function pairsOf(topic: string): Promise<Pair[][]> {
  const copies = await readTopic(brokersOf('west'), `east.${topic}`);
  return copies.map((records) =>
    records.map(({ offset, headers }) => {
      const origin = parseOrigin(headers.at(-1)?.value ?? Buffer.alloc(0));
      return { source: origin?.offset ?? -1, target: offset };
    }),
  );
}

test('200 groups, deep lag included: the very record, there and back', async () => {
  const random = new Seeded(5);
  const topic = uniqueName('deep');
  await using east = await openTestCluster('east');
  await using west = await openTestCluster('west');
  await makeTopic(east, topic, partitions);
  const { file: mesh } = await writeMesh(dir, [`defaults: {topics: {include: [${topic}]}}`]);
  await using eastAgent = await startAgent({ site: 'east', topologyFile: mesh, logDir: dir });
  await using westAgent = await startAgent({ site: 'west', topologyFile: mesh, logDir: dir });
  const written = Array.from({ length: recordsPerPartition / 1_000 }, (_, round) => round);
  for (const round of written) {
    const records = Array.from({ length: 1_000 }, (_, index) => ({
      key: null,
      value: Buffer.from(`${round}-${index}`),
      timestampMs: Date.now(),
    }));
    for (let partition = 0; partition < partitions; partition += 1) {
      await appendRecords(east, topic, partition, records, 'lz4');
    }
    if (round === 10) await writeTransactions(topic);
    // A kill in the middle of the log leaves a marker in the copy, and another takeover in the map.
    if (round === 20) {
      await westAgent.kill();
      westAgent.launch();
      await westAgent.ready();
    }
  }
  const born = await readTopic(brokersOf('east'), topic);
  const wanted = born.reduce((sum, records) => sum + records.length, 0);
  // Slots of the agent that was killed are free again when its session has run out.
  const pairs = await until(
    'everything to cross',
    async () => {
      const ends = await endsOf(west, `east.${topic}`).catch(() => []);
      if (ends.reduce((sum, end) => sum + end, 0) < wanted) return undefined;
      const found = await pairsOf(topic);
      return found.every((one, at) => one.length === born[at]?.length) && found;
    },
    90_000,
  );
  const ends = { east: await endsOf(east, topic), west: await endsOf(west, `east.${topic}`) };

  const ask = async (from: 'east' | 'west', agent: typeof eastAgent): Promise<number> => {
    const name = from === 'east' ? topic : `east.${topic}`;
    const cluster = from === 'east' ? east : west;
    const groups = Array.from({ length: groupsPerSite }, () => ({
      group: uniqueName(`deep-${from}`),
      offsets: ends[from].map((end) => BigInt(random.int(0, end))),
    }));
    for (const { group, offsets } of groups) {
      const commits = offsets.map((offset, partition) => ({
        topic: name,
        partition,
        offset,
        metadata: '',
      }));
      const results = await cluster.commitGroupOffsets(group, commits);
      assert.ok(results.every(({ errorCode }) => errorCode === 0));
    }
    let checked = 0;
    for (const { group, offsets } of groups) {
      const to = from === 'east' ? 'west' : 'east';
      const answer = await until(
        `positions of ${group}`,
        async () => {
          const { status, text } = await agent.get(
            `/v1/translate?group=${group}&from=${from}&to=${to}`,
          );
          // The agent's own contract.
          return status === 200 ? (JSON.parse(text) as TranslateJson) : undefined;
        },
        30_000,
      );
      const inexact = answer.positions.filter(({ certainty }) => certainty !== 'exact');
      assert.deepEqual(inexact, [], group);
      assert.equal(answer.positions.length, partitions);
      for (const { source, target } of answer.positions) {
        const asked = Number(offsets[source.partition]);
        const place = next(pairs[source.partition] ?? [], asked, from);
        const found = Number(target.offset);
        const text = `${group} ${source.topic}/${source.partition}@${asked} became ${found}`;
        if (place.record === undefined) assert.ok(found > place.before, text);
        else assert.ok(found > place.before && found <= place.record, text);
        checked += 1;
      }
    }
    return checked;
  };
  assert.equal(await ask('east', westAgent), groupsPerSite * partitions);
  assert.equal(await ask('west', eastAgent), groupsPerSite * partitions);
});

/** The copy of the first record that was not read, and of the last one that was. */
function next(
  pairs: readonly Pair[],
  position: number,
  from: 'east' | 'west',
): { record: number | undefined; before: number } {
  const [there, here] =
    from === 'east' ? (['source', 'target'] as const) : (['target', 'source'] as const);
  const at = pairs.findIndex((pair) => pair[there] >= position);
  const before = pairs[(at < 0 ? pairs.length : at) - 1]?.[here] ?? -1;
  return { record: at < 0 ? undefined : pairs[at]?.[here], before };
}

async function endsOf(
  cluster: Awaited<ReturnType<typeof openTestCluster>>,
  topic: string,
): Promise<number[]> {
  const at = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));
  const listed = await cluster.listOffsets(at, 'latest');
  return at.map(({ partition }) => {
    return Number(listed.find((one) => one.partition === partition)?.offset ?? 0n);
  });
}
