import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { MetricRegistry } from '../../../src/base/metrics.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { GroupSync } from '../../../src/groups/group-sync.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';

const deps = { clock: systemClock, log: silentLog, metrics: new MetricRegistry() };
const [east, west] = [siteName('east'), siteName('west')];
const signal = new AbortController().signal;

/** West's Kafka as far as groups go: what stands there, how the next commit is answered. */
class FakeKafka {
  readonly offsets = new Map<string, bigint>();
  members = 0;
  refuse = 0;
  /** The commit lands, and its answer is lost. */
  loseAnswer = false;
  brokenGroup: string | undefined;

  readonly cluster: GroupCluster = {
    listOffsets: () => Promise.resolve([]),
    listGroups: () => Promise.resolve([]),
    groupOffsets: (group) => {
      if (group === this.brokenGroup) {
        return Promise.reject(new MeshError('kafka_authorization', 'not authorized'));
      }
      const offset = this.offsets.get(group);
      const at = { topic: 'east.orders', partition: 0, metadata: '', leaderEpoch: -1 };
      return Promise.resolve(offset === undefined ? [] : [{ ...at, offset, errorCode: 0 }]);
    },
    groupMembers: (group) => Promise.resolve({ group, memberCount: this.members, state: 'Empty' }),
    commitGroupOffsets: (group, offsets) => {
      const errorCode = this.refuse;
      this.refuse = 0;
      if (errorCode === 0) for (const { offset } of offsets) this.offsets.set(group, offset);
      if (this.loseAnswer) {
        this.loseAnswer = false;
        return Promise.reject(new MeshError('kafka_unavailable', 'connection lost'));
      }
      return Promise.resolve(
        offsets.map(({ topic, partition }) => ({ topic, partition, errorCode })),
      );
    },
  };
}

function stage(ledger = new Ledger(() => Promise.resolve())) {
  const kafka = new FakeKafka();
  const store = new PositionsStore();
  const sync = new GroupSync(
    {
      site: west,
      cluster: kafka.cluster,
      store,
      ledger,
      homeOf: () => ({ site: east, epoch: 1 }),
      owns: () => true,
      translate: (group) =>
        Promise.resolve(
          store.positions(east, group).map(({ topic, partition, offset }) => ({
            source: { topic, partition, offset },
            target: { topic: `east.${topic}`, partition, offset },
            certainty: 'exact',
            reason: 'in_run',
            notHereAtLeast: 0n,
            reread: 0n,
            generation: 1,
          })),
        ),
    },
    deps,
  );
  let asOfMs = 0;
  const commit = (group: string, offset: bigint): void => {
    asOfMs += 1;
    const at = { topic: 'orders', partition: 0, leaderEpoch: -1, metadata: '' };
    store.observe(east, group, [{ ...at, offset }], asOfMs);
  };
  return { kafka, sync, commit };
}

describe('keeping a group in step', () => {
  for (const [name, spoil] of [
    ['refused by a coordinator that is loading', (kafka: FakeKafka) => (kafka.refuse = 14)],
    ['refused because of a member', (kafka: FakeKafka) => (kafka.refuse = 25)],
    ['accepted, and the answer lost', (kafka: FakeKafka) => (kafka.loseAnswer = true)],
  ] as const) {
    test(`a commit that was ${name} is not taken for somebody else's`, async () => {
      const { kafka, sync, commit } = stage();
      commit('billing', 10n);
      await sync.round(signal);
      assert.equal(kafka.offsets.get('billing'), 10n);
      for (const offset of [20n, 30n]) {
        commit('billing', offset);
        spoil(kafka);
        await sync.round(signal);
      }
      commit('billing', 40n);
      await sync.round(signal);
      assert.equal(kafka.offsets.get('billing'), 40n);
    });
  }

  test("what stands there by somebody else's hand is left alone", async () => {
    const { kafka, sync, commit } = stage();
    commit('billing', 10n);
    await sync.round(signal);
    kafka.offsets.set('billing', 7n);
    commit('billing', 20n);
    await sync.round(signal);
    assert.equal(kafka.offsets.get('billing'), 7n);
  });

  test('a group that cannot be read does not hold up the others', async () => {
    const { kafka, sync, commit } = stage();
    kafka.brokenGroup = 'a';
    for (const group of ['a', 'b', 'c']) commit(group, 10n);
    await sync.round(signal);
    assert.deepEqual([...kafka.offsets.keys()].sort(), ['b', 'c']);
  });

  test('what may be ours is known after a restart, too', async () => {
    const records: { key: Buffer; value: Buffer | null }[] = [];
    const first = new Ledger((some) => {
      records.push(...some);
      return Promise.resolve();
    });
    const at = { topic: 'east.orders', partition: 0 };
    await first.noteWritten('billing', [{ ...at, offset: 10n }]);
    first.confirmWritten('billing', [{ ...at, offset: 10n }]);
    await first.noteWritten('billing', [{ ...at, offset: 20n }]);
    const again = new Ledger(() => Promise.resolve());
    for (const record of records) assert.ok(again.load(record));
    const ours = [10n, 15n, 20n].map((offset) => again.isOurs('billing', { ...at, offset }));
    assert.deepEqual(ours, [true, false, true]);
  });
});
