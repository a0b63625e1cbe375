import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { MetricRegistry } from '../../../src/base/metrics.ts';
import type { TranslatedPosition } from '../../../src/groups/answer.ts';
import type { Commit } from '../../../src/groups/commit-table.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { GroupSync } from '../../../src/groups/group-sync.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { LogStarts } from '../../../src/groups/log-starts.ts';
import type { ResolvedMode } from '../../../src/groups/mode.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import type { SourcePosition } from '../../../src/groups/translator.ts';

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
  /** Wall clock. */
  nowMs = 0;
  readonly committedAtMs = new Map<string, number>();
  /** Requests about groups, since they were last counted. */
  asked: string[] = [];
  /** Called once, while it is asked for offsets. */
  whileAsked: (() => void) | undefined;
  /** Where the log begins in which every group reads. */
  logStart = 0n;

  /** As the log of commits tells. */
  standing(group: string): ReadonlyMap<string, Commit> {
    const offset = this.offsets.get(group);
    if (offset === undefined) return new Map();
    const at = { topic: 'east.orders', partition: 0, metadata: '', leaderEpoch: -1, at: 0 };
    const committedAtMs = this.committedAtMs.get(group) ?? 0;
    return new Map([['east.orders/0', { ...at, offset, committedAtMs }]]);
  }

  readonly cluster: GroupCluster = {
    listOffsets: (partitions) => {
      const start = { errorCode: 0, offset: this.logStart, timestampMs: -1, leaderEpoch: -1 };
      return Promise.resolve(partitions.map((one) => ({ ...one, ...start })));
    },
    listGroups: () => Promise.resolve([]),
    groupOffsets: (group) => {
      this.asked.push(`offsets of ${group}`);
      this.whileAsked?.();
      this.whileAsked = undefined;
      if (group === this.brokenGroup) {
        return Promise.reject(new MeshError('kafka_authorization', 'not authorized'));
      }
      const offset = this.offsets.get(group);
      const at = { topic: 'east.orders', partition: 0, metadata: '', leaderEpoch: -1 };
      return Promise.resolve(offset === undefined ? [] : [{ ...at, offset, errorCode: 0 }]);
    },
    groupMembers: (group) => {
      this.asked.push(`members of ${group}`);
      return Promise.resolve({ group, memberCount: this.members, state: 'Empty' });
    },
    commitGroupOffsets: (group, offsets) => {
      this.asked.push(`commit of ${group}`);
      if (this.refuse === 0) this.committedAtMs.set(group, this.nowMs);
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

const mode: ResolvedMode = {
  isIncluded: true,
  mode: 'single',
  isDeclared: true,
  home: { site: east, epoch: 1, state: 'declared' },
  contested: [],
};

function translated(
  { topic, partition, offset }: SourcePosition,
  start: bigint | undefined,
): TranslatedPosition {
  const at = offset !== undefined && start !== undefined && offset < start ? start : offset;
  return {
    source: { topic, partition, offset },
    target: { topic: `east.${topic}`, partition, offset: at },
    certainty: 'exact',
    reason: 'in_run',
    notHereAtLeast: 0n,
    reread: 0n,
    skipped: 0n,
    generation: 1,
  };
}

type How = 'log' | 'ask';
const refreshMs = 60_000;

function stage(how: How = 'log', ledger = new Ledger(() => Promise.resolve())) {
  const kafka = new FakeKafka();
  const store = new PositionsStore();
  const world = { mode, owns: true, isCopied: true };
  const clock = { ...systemClock, nowMs: () => kafka.nowMs, monotonicMs: () => kafka.nowMs };
  const sync = new GroupSync(
    {
      site: west,
      cluster: kafka.cluster,
      store,
      ledger,
      modeOf: () => world.mode,
      owns: () => world.owns,
      translator: () => ({
        translate: (positions, _from, _to, logStart) =>
          positions.map((one): TranslatedPosition => {
            const found = translated(one, logStart?.(`east.${one.topic}`, one.partition));
            if (world.isCopied) return found;
            const target = { ...found.target, offset: undefined };
            return { ...found, target, certainty: 'unknown', reason: 'no_map' };
          }),
      }),
      starts: new LogStarts(kafka.cluster, clock),
      retention: { refreshMs, look: () => Promise.resolve() },
      standing: (group) => (how === 'ask' ? how : kafka.standing(group)),
    },
    { ...deps, clock },
  );
  sync.listen();
  let asOfMs = 0;
  const commit = (group: string, offset: bigint | undefined): void => {
    asOfMs += 1;
    const at = { topic: 'orders', partition: 0, leaderEpoch: -1, metadata: '' };
    store.observe(east, group, offset === undefined ? [] : [{ ...at, offset }], asOfMs);
  };
  /** What was asked for in the rounds of so much time, one a second. */
  const pass = async (seconds: number): Promise<string[]> => {
    kafka.asked = [];
    for (let second = 0; second < seconds; second += 1) {
      kafka.nowMs += 1_000;
      await sync.round(signal);
    }
    return kafka.asked;
  };
  return { kafka, sync, commit, pass, world };
}

for (const [what, change] of [
  ['was reset', ({ commit }: ReturnType<typeof stage>) => commit('billing', 100n)],
  [
    'moved here',
    ({ world }: ReturnType<typeof stage>) => {
      world.mode = { ...mode, home: { site: west, epoch: 2, state: 'moved' } };
    },
  ],
] as const) {
  test(`nothing is written of a group that ${what} while Kafka was asked`, async () => {
    const staged = stage();
    const { kafka, sync, commit } = staged;
    commit('billing', 500n);
    kafka.whileAsked = () => change(staged);
    await sync.round(signal);
    assert.ok(kafka.asked.includes('offsets of billing'));
    assert.ok(!kafka.asked.includes('commit of billing'), kafka.asked.join());
    if (what === 'was reset') {
      await sync.round(signal);
      assert.equal(kafka.offsets.get('billing'), 100n);
    }
  });
}

for (const how of ['log', 'ask'] as const) {
  describe(`keeping a group in step, what stands there told by ${how}`, () => {
    for (const [name, spoil] of [
      ['refused by a coordinator that is loading', (kafka: FakeKafka) => (kafka.refuse = 14)],
      ['refused because of a member', (kafka: FakeKafka) => (kafka.refuse = 25)],
      ['accepted, and the answer lost', (kafka: FakeKafka) => (kafka.loseAnswer = true)],
    ] as const) {
      test(`a commit that was ${name} is not taken for somebody else's`, async () => {
        const { kafka, sync, commit } = stage(how);
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
      const { kafka, sync, commit } = stage(how);
      commit('billing', 10n);
      await sync.round(signal);
      kafka.offsets.set('billing', 7n);
      commit('billing', 20n);
      await sync.round(signal);
      assert.equal(kafka.offsets.get('billing'), 7n);
    });

    test('what is committed there while the ledger is written stays', async () => {
      const store = (): Promise<void> => {
        kafka.offsets.set('billing', 7n);
        return Promise.resolve();
      };
      const { kafka, sync, commit } = stage(how, new Ledger(store));
      commit('billing', 10n);
      for (let round = 0; round < 3; round += 1) await sync.round(signal);
      assert.equal(kafka.offsets.get('billing'), 7n);
    });

    test('a group that cannot be read does not hold up the others', async () => {
      const { kafka, sync, commit } = stage(how);
      kafka.brokenGroup = 'a';
      for (const group of ['a', 'b', 'c']) commit(group, 10n);
      await sync.round(signal);
      assert.deepEqual([...kafka.offsets.keys()].sort(), ['b', 'c']);
    });

    test('a group is followed backwards', async () => {
      const { kafka, commit, pass } = stage(how);
      commit('billing', 50n);
      await pass(1);
      commit('billing', 20n);
      await pass(1);
      assert.equal(kafka.offsets.get('billing'), 20n);
    });

    test('what nobody commits again is committed again in time, and only what is ours', async () => {
      const { kafka, commit, pass } = stage(how);
      kafka.offsets.set('foreign', 10n);
      for (const group of ['ours', 'foreign', 'gone']) commit(group, 10n);
      await pass(1);
      commit('gone', undefined);
      const early = (await pass(58)).filter((one) => one.startsWith('commit'));
      assert.deepEqual(early, []);
      const late = (await pass(32)).filter((one) => one.startsWith('commit'));
      assert.deepEqual(late, ['commit of ours']);
    });
  });
}

describe('a group that is looked at', () => {
  test('costs no request while nothing changes, and three when it does', async () => {
    const { kafka, commit, pass } = stage();
    const groups = Array.from({ length: 10_000 }, (_, index) => `group ${index}`);
    for (const group of groups) commit(group, 10n);
    await pass(1);
    assert.equal(kafka.offsets.size, groups.length);
    assert.deepEqual(await pass(45), []);
    commit('group 77', 11n);
    const asked = ['members of group 77', 'offsets of group 77', 'commit of group 77'];
    assert.deepEqual(await pass(5), asked);
  });

  test('with a member is written when the member has gone', async () => {
    const { kafka, commit, pass } = stage();
    kafka.members = 1;
    commit('billing', 10n);
    await pass(3);
    assert.equal(kafka.offsets.size, 0);
    kafka.members = 0;
    await pass(1);
    assert.equal(kafka.offsets.get('billing'), 10n);
  });

  test('is moved on to where its log begins', async () => {
    const { kafka, commit, pass } = stage();
    commit('billing', 10n);
    await pass(1);
    kafka.logStart = 14n;
    await pass(62);
    assert.equal(kafka.offsets.get('billing'), 14n);
  });

  test('is written as soon as its log is copied', async () => {
    const { kafka, commit, pass, world } = stage();
    world.isCopied = false;
    commit('billing', 10n);
    await pass(3);
    assert.equal(kafka.offsets.size, 0);
    world.isCopied = true;
    await pass(1);
    assert.equal(kafka.offsets.get('billing'), 10n);
  });

  test('that another agent had is taken over soon', async () => {
    const { kafka, commit, pass, world } = stage();
    world.owns = false;
    commit('billing', 10n);
    await pass(2);
    assert.equal(kafka.offsets.size, 0);
    world.owns = true;
    await pass(1);
    assert.equal(kafka.offsets.get('billing'), 10n);
  });

  for (const [name, change] of [
    ['contested', { mode: 'contested' }],
    ['everywhere', { mode: 'everywhere', home: undefined }],
    ['at home here', { home: { site: west, epoch: 2, state: 'moved' } }],
    [
      'provisionally at home elsewhere, after it was here',
      {
        home: {
          site: east,
          epoch: 2,
          state: 'provisional',
          rival: { site: west, left: [], overlap: [], isDeclared: true },
        },
      },
    ],
  ] as const satisfies readonly (readonly [string, Partial<ResolvedMode>])[]) {
    test(`and is ${name} is not written`, async () => {
      const { kafka, commit, pass, world } = stage();
      world.mode = { ...mode, ...change };
      commit('billing', 10n);
      assert.deepEqual(await pass(40), []);
      assert.equal(kafka.offsets.size, 0);
    });
  }
});

describe('the ledger of what was written', () => {
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
