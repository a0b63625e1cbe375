/** Homes that move by themselves: what is decided from what two sites show, second by second. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import { silentLog } from '../../../src/base/log.ts';
import { MetricRegistry } from '../../../src/base/metrics.ts';
import type { GroupHome } from '../../../src/groups/answer.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { HomeWatch } from '../../../src/groups/home-watch.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import { resolveMode, type ResolvedMode } from '../../../src/groups/mode.ts';
import { twoSites } from '../../support/topologies.ts';

const [east, west] = [siteName('east'), siteName('west')];
const signal = new AbortController().signal;
const homeIdleMs = 3_000;
const topology = twoSites('defaults: {groups: {modes: {billing: {mode: single, home: east}}}}');

/** One group at one site. */
class FakeSite {
  members = 0;
  offset: bigint | undefined;
  isAlive = true;
  agents = 1;

  readonly cluster: GroupCluster = {
    listOffsets: () => Promise.resolve([]),
    listGroups: () => Promise.resolve([]),
    groupMembers: (group) => this.#answer({ group, memberCount: this.members, state: '' }),
    groupOffsets: () => {
      const at = { topic: 'orders', partition: 0, metadata: '', leaderEpoch: -1 };
      return this.#answer(this.offset === undefined ? [] : [{ ...at, offset: this.offset }]);
    },
    commitGroupOffsets: () => Promise.resolve([]),
  };

  #answer<T>(value: T): Promise<T> {
    if (this.isAlive) return Promise.resolve(value);
    return Promise.reject(new MeshError('kafka_unavailable', 'connection lost'));
  }
}

/** West watches; east is where the group is at home. */
class Stage {
  readonly there = new FakeSite();
  readonly here = new FakeSite();
  readonly store = new PositionsStore();
  readonly ledger = new Ledger(() => Promise.resolve());
  readonly group: string;
  owns = true;
  /** Events, in order. */
  readonly told: string[] = [];
  #nowMs = 1_000;
  readonly #watch: HomeWatch;

  constructor(group: string) {
    this.group = group;
    const { there, here, store, ledger } = this;
    const clock = { ...systemClock, monotonicMs: () => this.#nowMs };
    this.#watch = new HomeWatch(
      {
        site: west,
        otherSites: () => [east],
        cluster: here.cluster,
        remoteCluster: () => (there.isAlive ? there.cluster : undefined),
        liveness: () => ({
          site: east,
          kafkaReachable: there.isAlive,
          kafkaRefusedSinceMs: undefined,
          agentsConnected: there.agents,
          agentSilentSinceMs: undefined,
        }),
        store,
        ledger,
        modeOf: (name) => this.modeOf(name),
        owns: () => this.owns,
        // As if offsets were the same at both.
        overlap: (one, other, left) => {
          const [a, b, from] = [one.positions, other.positions, left ?? []].map(
            ([first]) => first?.offset ?? 0n,
          ) as [bigint, bigint, bigint];
          const to = a < b ? a : b;
          return to > from ? [{ site: east, topic: 'orders', partition: 0, from, to }] : [];
        },
        homeIdleMs: () => homeIdleMs,
        onEvent: ({ text }) => this.told.push(text),
      },
      { clock, log: silentLog, metrics: new MetricRegistry() },
    );
    this.#watch.listen();
  }

  modeOf(name = this.group): ResolvedMode {
    const seenAt = () => [east, west].filter((at) => this.store.has(at, name));
    return resolveMode(topology, name, { home: this.ledger.home(name), seenAt });
  }

  get home(): string {
    const { home } = this.modeOf();
    return home === undefined ? '-' : `${home.site} ${home.epoch} ${home.state}`;
  }

  /** A commit of the group's own. */
  commit(at: 'there' | 'here', offset: bigint): void {
    this[at].offset = offset;
    const name = at === 'there' ? east : west;
    const one = { topic: 'orders', partition: 0, offset, leaderEpoch: -1, metadata: '' };
    this.store.change(name, this.group, [one], this.#nowMs);
  }

  heardAll(): void {
    for (const at of [east, west]) this.store.noteAsOf(at, 1);
  }

  /** So many seconds, a round in each. */
  async pass(seconds: number, each: (second: number) => void = () => undefined): Promise<void> {
    for (let second = 0; second < seconds; second += 1) {
      this.#nowMs += 1_000;
      each(second);
      await this.#watch.round(signal);
    }
  }
}

/** At home at east, once used there, and now with a member here that has committed. */
function usedHere(group: string): Stage {
  const stage = new Stage(group);
  stage.commit('there', 20n);
  stage.here.members = 1;
  stage.commit('here', 30n);
  return stage;
}

describe('a group that is at home elsewhere, and used here', () => {
  test('moves here when its home has been quiet for long enough, not before', async () => {
    const stage = usedHere('billing');
    await stage.pass(3);
    assert.equal(stage.home, 'east 1 declared');
    await stage.pass(1);
    assert.equal(stage.home, 'west 2 moved');
    await stage.pass(3);
    assert.deepEqual(stage.told, [
      'billing is at home at west (epoch 2): quiet at east, and used here',
    ]);
  });

  for (const [what, use] of [
    ['members', (stage: Stage, second: number) => (stage.there.members = second === 2 ? 1 : 0)],
    ['commits', (stage: Stage, second: number) => second === 2 && stage.commit('there', 21n)],
  ] as const) {
    test(`${what} at its home begin that time anew`, async () => {
      const stage = usedHere('billing');
      await stage.pass(6, (second) => void use(stage, second));
      assert.equal(stage.home, 'east 1 declared');
      await stage.pass(2);
      assert.equal(stage.home, 'west 2 moved');
    });
  }

  test('stays while its home is used, when that is declared', async () => {
    const stage = usedHere('billing');
    stage.there.members = 1;
    await stage.pass(10);
    assert.equal(stage.home, 'east 1 declared');
  });

  test('is not looked at by an agent that does not own it', async () => {
    const stage = usedHere('billing');
    stage.owns = false;
    await stage.pass(10);
    assert.equal(stage.home, 'east 1 declared');
  });

  test('stays when its members here are gone', async () => {
    const stage = usedHere('billing');
    stage.here.members = 0;
    await stage.pass(10);
    assert.equal(stage.home, 'east 1 declared');
  });
});

describe('a home that is silent', () => {
  test('the group is provisionally at home here, once it has been silent for long', async () => {
    const stage = usedHere('billing');
    stage.there.isAlive = false;
    stage.there.agents = 0;
    await stage.pass(3);
    assert.equal(stage.home, 'east 1 declared');
    await stage.pass(1);
    assert.equal(stage.home, 'west 2 provisional');
    assert.deepEqual(stage.modeOf().home?.rival?.left, [
      { topic: 'orders', partition: 0, offset: 20n },
    ]);
  });

  test('while its agents answer it is not known to be lost', async () => {
    const stage = usedHere('billing');
    stage.there.isAlive = false;
    await stage.pass(10);
    assert.equal(stage.home, 'east 1 declared');
  });

  async function provisional(): Promise<Stage> {
    const stage = usedHere('billing');
    stage.there.isAlive = false;
    stage.there.agents = 0;
    await stage.pass(4);
    stage.there.isAlive = true;
    stage.commit('here', 60n);
    return stage;
  }

  test('without members when it answers again: confirmed, at the second look', async () => {
    const stage = await provisional();
    await stage.pass(1);
    assert.equal(stage.home, 'west 2 provisional');
    await stage.pass(1);
    assert.equal(stage.home, 'west 2 moved');
  });

  test('with members and commits that came later: contested, with what was read twice', async () => {
    const stage = await provisional();
    stage.there.members = 1;
    stage.commit('there', 50n);
    await stage.pass(1);
    assert.equal(stage.home, 'west 2 contested');
    assert.deepEqual(stage.modeOf().contested, [west, east]);
    assert.deepEqual(stage.modeOf().home?.rival?.overlap, [
      { site: east, topic: 'orders', partition: 0, from: 20n, to: 50n },
    ]);
  });

  test('with members that have not committed since: open, until they leave', async () => {
    const stage = await provisional();
    stage.there.members = 1;
    await stage.pass(10);
    assert.equal(stage.home, 'west 2 provisional');
    stage.there.members = 0;
    await stage.pass(2);
    assert.equal(stage.home, 'west 2 moved');
    const lost = 'east does not answer, and the group is used here';
    assert.deepEqual(stage.told, [
      `billing is provisionally at home at west (epoch 2): ${lost}`,
      'billing is at home at west (epoch 2): east answers, without members',
    ]);
  });
});

describe('a group of which nobody says how it is used', () => {
  async function found(): Promise<Stage> {
    const stage = new Stage('new');
    stage.heardAll();
    stage.commit('there', 20n);
    await stage.pass(1);
    assert.equal(stage.home, 'east 1 found');
    return stage;
  }

  test('is at home where it has committed alone, once all sites were heard', async () => {
    const stage = new Stage('new');
    stage.commit('there', 20n);
    await stage.pass(3);
    assert.equal(stage.home, '-');
    stage.heardAll();
    await stage.pass(1);
    assert.equal(stage.home, 'east 1 found');
  });

  test('has no home when it has committed at both', async () => {
    const stage = new Stage('new');
    stage.commit('there', 20n);
    stage.commit('here', 20n);
    stage.heardAll();
    await stage.pass(2);
    assert.equal(stage.home, '-');
    assert.equal(stage.modeOf().mode, 'contested');
  });

  test('used at both for long: contested, from where agents had put it here', async () => {
    const stage = await found();
    const put = [{ topic: 'orders', partition: 0, offset: 20n }];
    await stage.ledger.noteWritten('new', put);
    stage.there.members = 1;
    stage.here.members = 1;
    stage.commit('here', 25n);
    stage.commit('there', 40n);
    await stage.pass(4);
    assert.equal(stage.home, 'east 2 contested');
    assert.deepEqual(stage.modeOf().home?.rival?.overlap, [
      { site: east, topic: 'orders', partition: 0, from: 20n, to: 25n },
    ]);
  });

  test('a change of site with both used for a moment is none', async () => {
    const stage = await found();
    stage.there.members = 1;
    stage.here.members = 1;
    stage.commit('here', 25n);
    await stage.pass(2);
    stage.there.members = 0;
    await stage.pass(4);
    assert.equal(stage.home, 'west 2 moved');
  });

  test('found elsewhere by one who did not know of commits here: contested', async () => {
    const stage = new Stage('new');
    stage.heardAll();
    stage.commit('here', 25n);
    await stage.ledger.setHome('new', { site: east, epoch: 1, state: 'found' });
    await stage.pass(4);
    assert.equal(stage.home, 'east 2 contested');
  });

  test('commits here by nobody who stays: contested', async () => {
    const stage = await found();
    stage.commit('here', 25n);
    await stage.pass(4);
    assert.equal(stage.home, 'east 2 contested');
    assert.deepEqual(stage.told, [
      'new is contested, last at home at east (epoch 2): used at east and here: declare its mode',
    ]);
  });
});

test('what agents committed here is no use of the group', async () => {
  const stage = new Stage('billing');
  const told: GroupHome[] = [];
  stage.ledger.onHome((_group, home) => told.push(home));
  stage.commit('there', 20n);
  stage.here.members = 1;
  stage.here.offset = 20n;
  await stage.pass(10);
  assert.deepEqual(told, []);
});
