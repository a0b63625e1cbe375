import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { batchAt } from '../../src/records/batch-header.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import type { DecodedRecord } from '../../src/records/decode-records.ts';
import { originKeyBytes } from '../../src/records/origin.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import type { PartitionStatus } from '../../src/flow/status.ts';
import { allCodecs, allCopied, only } from '../support/awkward-crossing.ts';
import { uniqueName, type TestSite } from '../support/clusters.ts';
import { newStateTopic, startFlow, type TestFlow, type TestFlowOptions } from '../support/flows.ts';
import { readRaw } from '../support/read-log.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const [from, to]: [TestSite, TestSite] = ['east', 'west'];
const dayMs = 86_400_000;

interface Bench extends AsyncDisposable {
  readonly source: KafkaCluster;
  readonly target: KafkaCluster;
  readonly topic: string;
  readonly remote: string;
  readonly stateTopic: string;
  /** Appends so many records, and behind them now and then a marker, which is not copied. */
  append(count: number, isHoled?: boolean): Promise<void>;
  start(options?: Partial<TestFlowOptions>): Promise<TestFlow>;
}

async function openBench(
  name: string,
  configs: Record<string, string> = {},
  ageMs = 0,
): Promise<Bench> {
  const source = await openTestCluster(from);
  const target = await openTestCluster(to);
  const topic = uniqueName(name);
  await makeTopic(source, topic, 1, configs);
  const stateTopic = await newStateTopic(to);
  let written = 0;
  return {
    source,
    target,
    topic,
    remote: `${from}.${topic}`,
    stateTopic,
    append: async (count, isHoled = true) => {
      for (const end = written + count; written < end; written += 1) {
        const records = Array.from({ length: 20 }, (_, index): PlainRecord => {
          const value =
            index === 7 ? null : Buffer.from(`value ${written} ${index} `.repeat(index));
          const headers = [{ key: Buffer.from('h'), value: Buffer.from([index]) }];
          const timestampMs = Date.now() - ageMs;
          return { key: Buffer.from(`${written}/${index}`), value, timestampMs, headers };
        });
        await appendRecords(source, topic, 0, records, allCodecs[written % 5]);
        if (isHoled && written % 3 === 0) await writeMarker(source, topic);
      }
    },
    start: (options = {}) =>
      startFlow({
        from,
        to,
        topics: topic,
        stateTopic,
        settings: { lane: only('pass') },
        ...options,
      }),
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
    },
  };
}

async function writeMarker(cluster: KafkaCluster, topic: string): Promise<void> {
  const onProducerId = (): Promise<void> => Promise.resolve();
  await cluster.fence({ topic, partition: 0, transactionalId: topic, onProducerId });
}

function isStamp({ key }: { readonly key: Buffer }): boolean {
  return key.equals(originKeyBytes);
}

function contents({ key, value, timestampMs, headers }: DecodedRecord): string {
  const own = headers.filter((one) => !isStamp(one));
  const parts = own.map((one) => `${one.key.toString()}=${one.value?.toString('hex')}`);
  return `${key?.toString()} ${value?.toString()} ${timestampMs} ${parts.join()}`;
}

interface BothEnds {
  readonly born: readonly DecodedRecord[];
  readonly copied: readonly DecodedRecord[];
}

/** Every record, once, in order, as it was but for a stamp; those of others are left out. */
async function assertArrived(
  { source, target, topic, remote }: Bench,
  isForeign: (record: DecodedRecord) => boolean = () => false,
): Promise<BothEnds> {
  const born = await readAll(source, topic, 0);
  const all = await readAll(target, remote, 0);
  const copied = all.filter((record) => !isForeign(record));
  assert.deepEqual(copied.map(contents), born.map(contents));
  return { born, copied };
}

/** And the offset of each, from the one given on, there and back. */
function assertExact(bench: Bench, { maps }: TestFlow, { born, copied }: BothEnds, from = 0): void {
  const reader = maps.book.reader('east->west', bench.topic, 0);
  for (let at = from; at < born.length; at += 1) {
    const [one, copy] = [BigInt(born[at]!.offset), BigInt(copied[at]!.offset)];
    const there = reader?.forward(one);
    assert.deepEqual([there?.offset, there?.certainty], [copy, 'exact']);
    const back = reader?.inverse(copy);
    assert.deepEqual([back?.offset, back?.certainty], [one, 'exact']);
  }
}

/** Without a single stamp, and exact. */
async function assertPassed(bench: Bench, running: TestFlow): Promise<void> {
  const ends = await assertArrived(bench);
  assert.ok(!ends.copied.some(({ headers }) => headers.some(isStamp)));
  assertExact(bench, running, ends);
}

function pausedOf({ flow }: TestFlow): Promise<PartitionStatus> {
  return until('the pause', () => flow.status().partitions.find(({ state }) => state === 'paused'));
}

async function copiedCount({ target, remote }: Bench): Promise<number> {
  const found = (await target.metadata()).topics.get(remote)?.partitions[0];
  return found === undefined || found.leader < 0 ? 0 : (await readAll(target, remote, 0)).length;
}

async function journalRecords({ target, stateTopic }: Bench): Promise<number> {
  const records = await readAll(target, stateTopic, 0);
  return records.filter(
    ({ key, value }) => value !== null && key?.toString().startsWith('pass/') === true,
  ).length;
}

describe('the pass lane', () => {
  test('batches keep their very bytes, in every codec; the journal costs one record', async () => {
    await using bench = await openBench('passed');
    await bench.append(10, false);
    await using running = await bench.start();
    await bench.append(10, false);
    await allCopied(running, bench.source, [bench.topic]);
    await assertPassed(bench, running);
    const bodies = async (cluster: KafkaCluster, topic: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { bytes, isControl } of readRaw(cluster, topic, 0)) {
        if (!isControl) found.push(bytes.subarray(batchAt.records).toString('hex'));
      }
      return found;
    };
    const { source, target, topic, remote } = bench;
    assert.deepEqual(await bodies(target, remote), await bodies(source, topic));
    assert.equal(await journalRecords(bench), 1);
    const [found] = running.flow.status().partitions;
    assert.equal(found?.why, 'pass lane');
    assert.deepEqual(running.events, []);
  });

  test('goes on where the target stands after each restart, over holes at both ends', async () => {
    await using bench = await openBench('resumed');
    for (let round = 0; round < 4; round += 1) {
      await using running = await bench.start();
      await bench.append(12);
      // Stopped somewhere on the way.
      await until('most of it', async () => (await copiedCount(bench)) >= round * 240 + 100);
      assert.deepEqual(running.events, []);
    }
    await using running = await bench.start();
    await allCopied(running, bench.source, [bench.topic]);
    await assertPassed(bench, running);
  });

  test('two agents for one partition: the older is fenced, nothing is written twice', async () => {
    await using bench = await openBench('fought');
    await using first = await bench.start({ mesh: 'fight' });
    await bench.append(5);
    await allCopied(first, bench.source, [bench.topic]);
    await using second = await bench.start({ mesh: 'fight' });
    await bench.append(40);
    await until('all', async () => (await copiedCount(bench)) >= 900, 60_000);
    await assertArrived(bench);
    await second[Symbol.asyncDispose]();
    await bench.append(3);
    await allCopied(first, bench.source, [bench.topic]);
    await assertPassed(bench, first);
  });

  test('records older than the target remembers producers: each once, through a restart', async () => {
    await using bench = await openBench('old', { 'retention.ms': '-1' }, 3 * dayMs);
    await bench.append(20);
    {
      await using running = await bench.start();
      await until('some', async () => (await copiedCount(bench)) >= 100);
      assert.deepEqual(running.events, []);
    }
    await bench.append(20);
    await using running = await bench.start();
    await allCopied(running, bench.source, [bench.topic]);
    await assertPassed(bench, running);
  });

  test('somebody else who writes to the remote topic is named, and disturbs nothing', async () => {
    await using bench = await openBench('disturbed');
    const { target, remote } = bench;
    const isForeign = ({ key }: DecodedRecord): boolean => key?.toString() === 'foreign';
    const disturb = (): Promise<void> => {
      const record = { key: Buffer.from('foreign'), value: null, timestampMs: Date.now() };
      return appendRecords(target, remote, 0, [record, record]);
    };
    {
      await using running = await bench.start();
      await bench.append(4);
      await allCopied(running, bench.source, [bench.topic]);
      await disturb();
      await bench.append(4);
      await allCopied(running, bench.source, [bench.topic]);
      assert.deepEqual(
        running.events.map(({ kind }) => kind),
        ['foreign_writer'],
      );
      await disturb();
    }
    await using running = await bench.start();
    await bench.append(4);
    await allCopied(running, bench.source, [bench.topic]);
    assertExact(bench, running, await assertArrived(bench, isForeign));
  });

  test('the lane is changed while the topic holds data, there and back', async () => {
    await using bench = await openBench('changed');
    for (const lane of ['stamp', 'pass', 'stamp', 'pass'] as const) {
      await using running = await bench.start({ settings: { lane: only(lane) } });
      await bench.append(6);
      await allCopied(running, bench.source, [bench.topic]);
      assert.deepEqual(running.events, []);
    }
    await using running = await bench.start();
    await bench.append(6);
    await allCopied(running, bench.source, [bench.topic]);
    const ends = await assertArrived(bench);
    const isStamped = (at: number): boolean => ends.copied[at * 20]?.headers.some(isStamp) === true;
    assert.deepEqual([0, 6, 12, 18, 24].map(isStamped), [true, false, true, false, false]);
    assertExact(bench, running, ends);
  });

  test('a topic that becomes compacted is stamped from there on, and passed again after that', async () => {
    await using bench = await openBench('squeezed');
    // The remote topic follows, there and back.
    await using running = await bench.start({ timings: { syncMs: 500 } });
    const untilWhy = (why: RegExp): Promise<unknown> =>
      until(String(why), () => why.test(running.flow.status().partitions[0]?.why ?? ''));
    await untilWhy(/^pass lane$/);
    await bench.append(3);
    await allCopied(running, bench.source, [bench.topic]);
    await bench.source.alterTopicConfigs(bench.topic, { 'cleanup.policy': 'compact' });
    await untilWhy(/^stamp lane, not pass: cleanup\.policy of .* at east is compact$/);
    await bench.append(3);
    await allCopied(running, bench.source, [bench.topic]);
    await bench.source.alterTopicConfigs(bench.topic, { 'cleanup.policy': 'delete' });
    await untilWhy(/^pass lane$/);
    await bench.append(3);
    await allCopied(running, bench.source, [bench.topic]);
    const { copied } = await assertArrived(bench);
    const isStamped = (at: number): boolean => copied[at]?.headers.some(isStamp) === true;
    assert.deepEqual([0, 60, 120].map(isStamped), [false, true, false]);
    assert.deepEqual(running.events, []);
  });

  test('with the journal lost it pauses and says so; with the remote topic deleted it begins anew', async () => {
    await using bench = await openBench('lost');
    {
      await using running = await bench.start();
      await bench.append(4);
      await allCopied(running, bench.source, [bench.topic]);
    }
    await bench.append(1);
    await using running = await bench.start({
      stateTopic: await newStateTopic(to),
      settings: { lane: only('pass'), onTargetReset: 'continue' },
    });
    const { why } = await pausedOf(running);
    assert.match(
      why,
      /^position_lost: .*the last copies were written in the pass lane, and the journal/,
    );
    assert.equal(running.flow.status().state, 'blocked');
    assert.equal(await copiedCount(bench), 80);
    // The way out that docs/errors.md names.
    await bench.target.deleteTopics([bench.remote]);
    await allCopied(running, bench.source, [bench.topic]);
    await assertPassed(bench, running);
  });

  test('with the journal lost, stamps behind what was passed still tell the position', async () => {
    await using bench = await openBench('lost-before');
    for (const lane of ['pass', 'stamp'] as const) {
      await using running = await bench.start({ settings: { lane: only(lane) } });
      await bench.append(4);
      await allCopied(running, bench.source, [bench.topic]);
    }
    await bench.append(4);
    await using running = await bench.start({ stateTopic: await newStateTopic(to) });
    await allCopied(running, bench.source, [bench.topic]);
    const ends = await assertArrived(bench);
    const reader = await until('the map to be read back', () => {
      const found = running.maps.book.reader('east->west', bench.topic, 0);
      return found?.forward(BigInt(ends.born[80]!.offset)).certainty === 'exact' && found;
    });
    assertExact(bench, running, ends, 80);
    for (let at = 0; at < 80; at += 1) {
      const there = reader.forward(BigInt(ends.born[at]!.offset));
      assert.notEqual(there.certainty, 'exact');
      assert.ok((there.offset ?? 0n) <= BigInt(ends.copied[at]!.offset), 'never ahead');
    }
  });

  for (const [what, reset] of [
    ['source', 'onSourceReset'],
    ['remote', 'onTargetReset'],
  ] as const) {
    test(`the ${what} topic made again: a new generation, copied from its start, by policy`, async () => {
      await using bench = await openBench(`again-${what}`);
      const cluster = what === 'source' ? bench.source : bench.target;
      const name = what === 'source' ? bench.topic : bench.remote;
      const settings = { lane: only('pass'), [reset]: 'continue' as const };
      const keys = async (of: KafkaCluster, topic: string): Promise<(string | undefined)[]> =>
        (await readAll(of, topic, 0)).map(({ key }) => key?.toString());
      {
        await using running = await bench.start({ settings });
        await bench.append(4);
        await allCopied(running, bench.source, [bench.topic]);
      }
      const before = what === 'source' ? await keys(bench.target, bench.remote) : [];
      await cluster.deleteTopics([name]);
      await until('it to be gone', async () => !(await cluster.metadata()).topics.has(name));
      await makeTopic(cluster, name);
      for (let round = 0; round < 2; round += 1) {
        await using running = await bench.start({ settings });
        await bench.append(3);
        await allCopied(running, bench.source, [bench.topic]);
        const born = await keys(bench.source, bench.topic);
        assert.deepEqual(await keys(bench.target, bench.remote), [...before, ...born]);
        assert.equal(running.events.length, 1 - round);
      }
    });
  }
});
