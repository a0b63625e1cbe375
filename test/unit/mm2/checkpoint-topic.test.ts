import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { CheckpointTopic } from '../../../src/mm2/checkpoint-topic.ts';
import {
  checkpointKey,
  checkpointValue,
  isWithdrawn,
  readCheckpointKey,
  withdrawn,
  type Checkpoint,
} from '../../../src/mm2/format.ts';
import { testDeps } from '../../support/deps.ts';

/** A log in memory; what is in it is delivered when the test says so. */
class MemoryLog implements StateLog {
  readonly topic = 'east.checkpoints.internal';
  records: FollowedRecord[] = [];
  isRefusing = false;
  #next = 0;
  #delivered = 0;
  #listener: Parameters<StateLog['follow']>[0] | undefined;

  append(records: readonly StateRecord[]): Promise<void> {
    if (this.isRefusing) return Promise.reject(new MeshError('kafka_unavailable', 'no leader'));
    for (const record of records) {
      const offset = BigInt(this.#next);
      this.records.push({ ...record, partition: 0, offset, timestampMs: 0 });
      this.#next += 1;
    }
    return Promise.resolve();
  }

  follow(listener: Parameters<StateLog['follow']>[0]): Promise<void> {
    this.#listener = listener;
    return Promise.resolve();
  }

  deliver(): void {
    const fresh = this.records.filter(({ offset }) => Number(offset) >= this.#delivered);
    this.#delivered = this.#next;
    this.#listener?.onRecords(fresh);
    this.#listener?.onSynced();
  }

  deleteBefore(before: bigint): Promise<void> {
    const held = this.#holds();
    this.records = this.records.filter(({ offset }) => offset >= before);
    assert.deepEqual(this.#holds(), held);
    return Promise.resolve();
  }

  /** The last value of each key, but for those that were withdrawn: what a deletion must leave. */
  #holds(): Map<string, string> {
    const found = new Map<string, string>();
    for (const { key, value } of this.records) {
      if (isWithdrawn(value)) found.delete(key.toString('hex'));
      else found.set(key.toString('hex'), value?.toString('hex') ?? '');
    }
    return found;
  }

  /** Deleted and made again. */
  reset(): void {
    this.records = [];
    this.#next = 0;
    this.#delivered = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** As MirrorMaker 2's client reads it: from the start, passing over what it cannot read. */
  read(): Record<string, string> {
    const found: Record<string, string> = {};
    for (const { key, value } of this.records) {
      const known = readCheckpointKey(key);
      if (known === undefined || value === null || isWithdrawn(value)) continue;
      found[`${known.group} ${known.topic}/${known.partition}`] = value
        .readBigInt64BE(10)
        .toString();
    }
    return found;
  }
}

function checkpoint(group: string, partition: number, offset: number): Checkpoint {
  const [upstreamOffset, here] = [BigInt(offset), BigInt(offset) + 1n];
  return { group, topic: 'east.a', partition, upstreamOffset, offset: here, metadata: '' };
}

function openTopic(deadRecordsMax = 1_000) {
  const log = new MemoryLog();
  const clock = { nowMs: 0 };
  const deps = { ...testDeps(), clock: { ...systemClock, monotonicMs: () => clock.nowMs } };
  const deleteBefore = (before: bigint): Promise<void> => log.deleteBefore(before);
  const topic = new CheckpointTopic({ log, deleteBefore, readersMs: 30_000, deadRecordsMax }, deps);
  void topic.run(new AbortController().signal);
  const round = async (): Promise<void> => {
    await topic.write();
    await topic.tidy();
    clock.nowMs += 1_000;
  };
  /** Rounds until readers have had their time and what may be deleted is. */
  const settle = async (): Promise<void> => {
    for (let at = 0; at < 80; at += 1) {
      log.deliver();
      await round();
    }
    log.deliver();
  };
  return { log, topic, round, settle };
}

describe('the topic of checkpoints', () => {
  test('only what changes is written', async () => {
    const { log, topic, round } = openTopic();
    topic.want('a', [checkpoint('a', 0, 5), checkpoint('a', 1, 7)]);
    await round();
    topic.want('a', [checkpoint('a', 0, 5), checkpoint('a', 1, 8)]);
    await round();
    log.deliver();
    topic.want('a', [checkpoint('a', 0, 5), checkpoint('a', 1, 8)]);
    await round();
    assert.equal(log.records.length, 3);
    assert.deepEqual(log.read(), { 'a east.a/0': '6', 'a east.a/1': '9' });
  });

  test('what stands there already is not written again; what others left is not touched', async () => {
    const { log, topic, settle } = openTopic();
    const [mine, others] = [checkpoint('a', 0, 5), checkpoint('never-heard-of', 0, 9)];
    await log.append(
      [mine, others].map((one) => ({ key: checkpointKey(one), value: checkpointValue(one) })),
    );
    log.deliver();
    topic.want('a', [mine]);
    await settle();
    assert.equal(log.records.length, 2);
  });

  test('a late write of another agent is set right in the next round', async () => {
    const { log, topic, round } = openTopic();
    topic.want('a', [checkpoint('a', 0, 50)]);
    await round();
    const late = checkpoint('a', 0, 20);
    await log.append([{ key: checkpointKey(late), value: checkpointValue(late) }]);
    log.deliver();
    await round();
    log.deliver();
    await round();
    assert.deepEqual(log.read(), { 'a east.a/0': '51' });
    assert.equal(log.records.length, 3);
  });

  test('a deleted group is not answered any more, once readers have had their time', async () => {
    const { log, topic, round, settle } = openTopic();
    topic.want('a', [checkpoint('a', 0, 5)]);
    topic.want('b', [checkpoint('b', 0, 6), checkpoint('b', 1, 7)]);
    await round();
    log.deliver();
    topic.want('b', [checkpoint('b', 1, 7)]);
    for (let at = 0; at < 5; at += 1) {
      await round();
      log.deliver();
    }
    // A reader that has begun still finds all that it needs.
    assert.equal(log.records[0]?.offset, 0n);
    await settle();
    assert.deepEqual(log.read(), { 'a east.a/0': '6', 'b east.a/1': '8' });
    topic.want('a', []);
    topic.want('b', []);
    await settle();
    assert.deepEqual(log.records, []);
    // No value that is null, ever: the Java client cannot read on behind one.
    assert.ok(withdrawn.length > 0);
  });

  test('it stays short, however often things change', async () => {
    const { log, topic, settle, round } = openTopic(100);
    for (let offset = 0; offset < 400; offset += 1) {
      topic.want('a', [checkpoint('a', 0, offset), checkpoint('a', 1, 1)]);
      await round();
      log.deliver();
      assert.ok(log.records.length < 200, `${log.records.length} records`);
      assert.deepEqual(Object.keys(log.read()).length, 2);
    }
    await settle();
    assert.deepEqual(log.read(), { 'a east.a/0': '400', 'a east.a/1': '2' });
  });

  test('what was not taken is written in the next round', async () => {
    const { log, topic, round } = openTopic();
    topic.want('a', [checkpoint('a', 0, 5)]);
    log.isRefusing = true;
    await assert.rejects(round(), /no leader/);
    log.isRefusing = false;
    await round();
    assert.deepEqual(log.read(), { 'a east.a/0': '6' });
  });

  test('a topic that was made again is filled again', async () => {
    const { log, topic, round, settle } = openTopic();
    topic.want('a', [checkpoint('a', 0, 5), checkpoint('a', 1, 5)]);
    await round();
    log.deliver();
    log.reset();
    topic.want('a', [checkpoint('a', 0, 6), checkpoint('a', 1, 5)]);
    await settle();
    assert.deepEqual(log.read(), { 'a east.a/0': '7', 'a east.a/1': '6' });
  });

  test('whatever happens in between, it ends as wanted; a deletion takes nothing away', async () => {
    const group = fc.constantFrom('a', 'b', 'c');
    const partition = fc.nat(2);
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('want'),
        group,
        offsets: fc.array(fc.nat(9), { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('late'), group, partition, offset: fc.nat(9) }),
      fc.record({ kind: fc.constant('gone'), group, partition }),
      fc.record({ kind: fc.constant('round') }),
      fc.record({ kind: fc.constant('deliver') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { log, topic, round, settle } = openTopic(3);
        const wanted = new Map<string, Checkpoint[]>();
        for (const one of steps) {
          if ('offsets' in one) {
            const list = one.offsets.map((offset, at) => checkpoint(one.group, at, offset));
            wanted.set(one.group, list);
            topic.want(one.group, list);
          } else if ('partition' in one) {
            const late = checkpoint(one.group, one.partition, 'offset' in one ? one.offset : 0);
            const value = 'offset' in one ? checkpointValue(late) : withdrawn;
            await log.append([{ key: checkpointKey(late), value }]);
          } else if (one.kind === 'round') await round();
          else log.deliver();
        }
        // Every group is looked at again now and then.
        for (const [name, list] of wanted) topic.want(name, list);
        log.deliver();
        for (const [name, list] of wanted) topic.want(name, list);
        await settle();
        const found = log.read();
        for (const [name, list] of wanted) {
          const ours = Object.entries(found).filter(([key]) => key.startsWith(`${name} `));
          assert.deepEqual(
            Object.fromEntries(ours),
            Object.fromEntries(
              list.map((one) => [`${name} east.a/${one.partition}`, String(one.offset)]),
            ),
          );
        }
      }),
      { numRuns: 300 },
    );
  });
});
