import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FetchPartition } from '../../../src/kafka/cluster.ts';
import {
  FetchSession,
  type FetchAnswer,
  type SessionRequest,
} from '../../../src/kafka/requests/fetch-session.ts';
import { Seeded } from '../../support/seeded.ts';

type Remembered = Map<string, { offset: bigint; leaderEpoch: number | undefined }>;

/** What a broker keeps of sessions, by KIP-227. */
class SessionBroker {
  readonly remembered: Remembered = new Map();
  #id = 0;
  #epoch = 0;

  answer({ id, epoch, partitions, forgotten }: SessionRequest): FetchAnswer {
    if (epoch > 0 && id !== this.#id) return answerOf(70, 0);
    if (epoch > 0 && epoch !== this.#epoch) return answerOf(71, 0);
    if (epoch === 0) {
      this.remembered.clear();
      this.#id += 1;
      this.#epoch = 0;
    }
    this.#epoch += 1;
    for (const { topicId, partition, offset, leaderEpoch } of partitions) {
      this.remembered.set(`${topicId}/${partition}`, { offset, leaderEpoch });
    }
    for (const [topicId, gone] of forgotten) {
      for (const one of gone) assert.ok(this.remembered.delete(`${topicId}/${one}`));
    }
    return answerOf(0, this.#id);
  }

  evict(): void {
    this.#id += 1000;
  }
}

function answerOf(errorCode: number, sessionId: number): FetchAnswer {
  return { errorCode, sessionId, partitions: [], throttleMs: 0, release: () => undefined };
}

function partitionOf(topic: number, partition: number, offset: number): FetchPartition {
  const topicId = `topic-id-${topic}`;
  return { topic: `t${topic}`, topicId, partition, offset: BigInt(offset), bytesMax: 1024 };
}

const three = [partitionOf(0, 0, 5), partitionOf(0, 1, 5), partitionOf(1, 0, 5)];

test('what was asked before is not named again', () => {
  const session = new FetchSession();
  assert.deepEqual(session.plan(three), { id: 0, epoch: 0, partitions: three, forgotten: [] });
  assert.ok(session.took(answerOf(0, 7)));
  assert.deepEqual(session.plan(three), { id: 7, epoch: 1, partitions: [], forgotten: [] });
  assert.ok(session.took(answerOf(0, 7)));
  assert.deepEqual(session.plan([...three]), { id: 7, epoch: 2, partitions: [], forgotten: [] });
  assert.ok(session.took(answerOf(0, 7)));
  const moved = [partitionOf(0, 0, 6), partitionOf(1, 0, 5)];
  const forgotten = [['topic-id-0', [1]]];
  const named = { id: 7, epoch: 3, partitions: moved.slice(0, 1), forgotten };
  assert.deepEqual(session.plan(moved), named);
});

test('a broker without room for a session is asked for all, each time', () => {
  const session = new FetchSession();
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual(session.plan(three), { id: 0, epoch: 0, partitions: three, forgotten: [] });
    assert.ok(session.took(answerOf(0, 0)));
  }
});

for (const errorCode of [70, 71, 106]) {
  test(`a session that the broker has lost (${errorCode}) begins anew`, () => {
    const session = new FetchSession();
    session.plan(three);
    session.took(answerOf(0, 7));
    session.plan(three);
    assert.equal(session.took(answerOf(errorCode, 0)), false);
    assert.deepEqual(session.plan(three), { id: 0, epoch: 0, partitions: three, forgotten: [] });
    assert.ok(session.took(answerOf(0, 8)));
    assert.equal(session.plan(three).id, 8);
  });
}

test('an error that is not of the session is not answered by another one', () => {
  const session = new FetchSession();
  session.plan(three);
  assert.ok(session.took(answerOf(70, 0)));
});

test('the broker remembers what is asked, whatever is added, moved, taken away or lost', () => {
  const random = new Seeded(11);
  const session = new FetchSession();
  const broker = new SessionBroker();
  let asked: FetchPartition[] = [];
  for (let round = 0; round < 2_000; round += 1) {
    asked = asked.filter(() => random.chance(0.9));
    asked = asked.map((one) => {
      if (random.chance(0.8)) return one;
      if (random.chance(0.5)) return { ...one, offset: one.offset + 1n };
      return { ...one, leaderEpoch: (one.leaderEpoch ?? 0) + 1 };
    });
    const added = partitionOf(random.int(0, 4), random.int(0, 6), 0);
    const isThere = asked.some((one) => {
      return one.topicId === added.topicId && one.partition === added.partition;
    });
    if (!isThere) asked.push(added);
    if (random.chance(0.05)) broker.evict();
    if (!session.took(broker.answer(session.plan(asked)))) {
      assert.ok(session.took(broker.answer(session.plan(asked))));
    }
    const wanted: Remembered = new Map(
      asked.map(({ topicId, partition, offset, leaderEpoch }) => {
        return [`${topicId}/${partition}`, { offset, leaderEpoch }];
      }),
    );
    assert.deepEqual(
      [...broker.remembered].sort(([a], [b]) => a.localeCompare(b)),
      [...wanted].sort(([a], [b]) => a.localeCompare(b)),
    );
  }
});
