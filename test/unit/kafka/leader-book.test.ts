import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { ClusterMetadata } from '../../../src/kafka/cluster.ts';
import { LeaderBook } from '../../../src/kafka/leader-book.ts';

function metadata(leaders: Readonly<Record<string, readonly number[]>>): ClusterMetadata {
  const topics = Object.entries(leaders).map(([name, all]) => {
    const partitions = all.map((leader, partition) => ({
      partition,
      leader,
      leaderEpoch: 0,
      replicas: [],
    }));
    return [name, { name, topicId: name, isInternal: false, partitions }] as const;
  });
  return { clusterId: 'c', controllerId: 1, brokers: new Map(), topics: new Map(topics) };
}

function book(answers: Record<string, readonly number[]>) {
  const time = { nowMs: 0 };
  const reads: (readonly string[])[] = [];
  const clock = { ...systemClock, monotonicMs: () => time.nowMs };
  const leaders = new LeaderBook((topics) => {
    reads.push(topics);
    return Promise.resolve(metadata(answers));
  }, clock);
  return { leaders, reads, time, answers };
}

test('asked many times at once, metadata is read once; of what is not known only', async () => {
  const { leaders, reads } = book({ a: [1, 2], b: [3] });
  const found = await Promise.all([leaders.of(['a']), leaders.of(['a']), leaders.of(['b', 'a'])]);
  assert.deepEqual(found[2].get('a'), [1, 2]);
  assert.deepEqual(reads, [['a'], ['b']]);
});

test('a topic that is not there is left out; none is asked for when none is wanted', async () => {
  const { leaders, reads } = book({});
  assert.deepEqual([...(await leaders.of(['gone']))], []);
  await leaders.of([]);
  assert.deepEqual(reads, [['gone']]);
});

test('kept for half a second, or until it proves stale', async () => {
  const { leaders, reads, time, answers } = book({ a: [1] });
  await leaders.of(['a']);
  answers['a'] = [2];
  time.nowMs = 499;
  assert.deepEqual((await leaders.of(['a'])).get('a'), [1]);
  leaders.forget(['a']);
  assert.deepEqual((await leaders.of(['a'])).get('a'), [2]);
  answers['a'] = [3];
  time.nowMs = 999;
  assert.deepEqual((await leaders.of(['a'])).get('a'), [3]);
  assert.equal(reads.length, 3);
});

test('a failure is told to those who asked, and not kept', async () => {
  let failures = 1;
  const leaders = new LeaderBook(() => {
    failures -= 1;
    return failures < 0 ? Promise.resolve(metadata({ a: [7] })) : Promise.reject(new Error('no'));
  }, systemClock);
  await assert.rejects(leaders.of(['a']), /no/);
  assert.deepEqual((await leaders.of(['a'])).get('a'), [7]);
});
