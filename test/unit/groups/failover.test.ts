/** Which moves are refused, and what becomes of one that dies at any of its steps. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import type { GroupMode, TranslateAnswer } from '../../../src/groups/answer.ts';
import { executePlan, makePlan, type FailoverFacts } from '../../../src/groups/failover.ts';
import type { GroupCluster } from '../../../src/groups/group-ports.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { checkId, formerId, idFacts } from '../../../src/groups/stand-in.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import { parseTopology } from '../../../src/topology/parse.ts';

const [east, west, north] = [siteName('east'), siteName('west'), siteName('north')];
const site = (port: number): string =>
  `{kafka: {brokers: ["localhost:${port}"]}, ` +
  `agents: [{grpc: "localhost:${port + 1}", http: "localhost:${port + 2}"}]}`;
const topology = parseTopology(
  `
apiVersion: causeway/v1
mesh: shop
version: 1
sites: {east: ${site(100)}, west: ${site(200)}, north: ${site(300)}}
defaults:
  groups:
    modes: {billing: {mode: local}, ledger: {mode: single, home: east}, audit: {mode: everywhere}}
`,
  'mesh.yaml',
);
const modes: Readonly<Record<string, GroupMode>> = {
  billing: 'local',
  ledger: 'single',
  audit: 'everywhere',
};

/** One site's offsets and its agents' ledger; an agent that dies does so at the step it is told. */
class World {
  readonly log: StateRecord[] = [];
  /** By `group/topic/partition`. */
  readonly offsets = new Map<string, bigint>();
  ledger: Ledger;
  /** Of what changes something outside of the agent so much is done before it dies. */
  stepsLeft = Infinity;

  constructor() {
    this.ledger = this.restart();
  }

  restart(): Ledger {
    this.stepsLeft = Infinity;
    this.ledger = new Ledger((records) => {
      this.#step();
      this.log.push(...records);
      this.#step();
      return Promise.resolve();
    });
    for (const record of this.log) this.ledger.load(record);
    return this.ledger;
  }

  #step(): void {
    if (this.stepsLeft <= 0) throw new Error('killed');
    this.stepsLeft -= 1;
  }

  readonly cluster = {
    commitGroupOffsets: (group, offsets) => {
      this.#step();
      for (const { topic, partition, offset } of offsets) {
        this.offsets.set(`${group}/${topic}/${partition}`, offset);
      }
      this.#step();
      return Promise.resolve(offsets.map((one) => ({ ...one, errorCode: 0 })));
    },
  } as Pick<GroupCluster, 'commitGroupOffsets'> as GroupCluster;

  facts(request: {
    group: string;
    from?: typeof east;
    to?: typeof east;
    as?: string;
    overwrite?: boolean;
    at?: bigint;
  }): FailoverFacts {
    const { group, from = east, to = west, as, overwrite = false, at = 400n } = request;
    const target = { topic: 'east.orders', partition: 0, offset: at + 1n };
    const known = this.ledger.home(group);
    const declared =
      group === 'ledger' ? ({ site: east, epoch: 1, state: 'declared' } as const) : undefined;
    const answer: TranslateAnswer = {
      mesh: 'shop',
      group,
      from,
      to,
      mode: modes[group] ?? 'off',
      isDeclared: group in modes,
      contest: undefined,
      home: known ?? declared,
      verdict: 'exact',
      safeToStart: true,
      blockers: [],
      sourceReachable: false,
      positionsAsOfMs: 0,
      sourceEndAsOfMs: 0,
      positions: [
        {
          source: { topic: 'orders', partition: 0, offset: at },
          target,
          certainty: 'exact',
          reason: 'in_run',
          notHereAtLeast: 0n,
          reread: 0n,
          skipped: 0n,
          generation: 1,
        },
      ],
    };
    const id = as ?? group;
    const offset = this.offsets.get(`${id}/east.orders/0`);
    const standing = offset === undefined ? [] : [{ ...target, offset }];
    return {
      answer,
      ids: idFacts({ group, from, to, as, overwrite }, topology, this.ledger.homes()),
      site: to,
      liveness: {
        site: from,
        kafkaReachable: false,
        kafkaRefusedSinceMs: 0,
        agentsConnected: 0,
        agentSilentSinceMs: 0,
      },
      nowMs: 0,
      membersThere: undefined,
      membersHere: 0,
      foreignHere: standing.filter(
        (one) => one.offset !== target.offset && !this.ledger.isOurs(id, one),
      ),
      overwrite,
      notReadWhy: undefined,
      lossUnknownPartitions: 0,
      lossSeconds: undefined,
      growthRecordsPerSecond: undefined,
    };
  }

  async move(request: Parameters<World['facts']>[0]): Promise<string> {
    const { cluster, ledger } = this;
    const parts = {
      cluster,
      ledger,
      nowMs: 0,
      metadata: new Map<string, string>(),
      beforeMoved: () => Promise.resolve(),
    };
    const { home } = await executePlan(makePlan(this.facts(request)), undefined, parts);
    const { standsFor: whom } = home;
    return `${home.site} ${home.epoch}${whom ? ` for ${whom.group} of ${whom.site}` : ''}`;
  }

  refusals(request: Parameters<World['facts']>[0]): readonly string[] {
    return makePlan(this.facts(request)).plan.refusals;
  }
}

describe('a move that dies', () => {
  for (const { name, request, id } of [
    { name: 'under its own id', request: { group: 'ledger' }, id: 'ledger' },
    { name: 'as another', request: { group: 'billing', as: 'billing.east' }, id: 'billing.east' },
  ]) {
    test(`${name}: at any step; run again, it is done once`, async () => {
      let deaths = 0;
      for (let steps = 0; ; steps += 1) {
        const world = new World();
        world.stepsLeft = steps;
        const died = await world.move(request).then(
          () => false,
          () => true,
        );
        if (!died) break;
        deaths += 1;
        world.restart();
        const wasMoved = world.ledger.home(id) !== undefined;
        // Meanwhile a little more has been read of what it had committed.
        const again = await world.move({ ...request, at: 405n }).catch((error: unknown) => error);
        if (wasMoved) assert.match(String(again), /not east|already; nothing to do/);
        else assert.match(String(again), request.group === 'ledger' ? /^west 2$/ : /^west 1 for/);
        const epoch = request.group === 'ledger' ? 2 : 1;
        assert.equal(world.ledger.home(id)?.epoch, epoch, `after ${steps} steps`);
        const offset = world.offsets.get(`${id}/east.orders/0`);
        assert.equal(offset, wasMoved ? 401n : 406n, `after ${steps} steps`);
      }
      assert.equal(deaths, 6);
    });
  }
});

describe('under another id', () => {
  test('there and back, and there again: what agents wrote is replaced, each home told', async () => {
    const world = new World();
    const away = { group: 'billing', as: 'billing.east' };
    const back = { group: 'billing.east', from: west, to: east, as: 'billing' };
    assert.equal(await world.move(away), 'west 1 for billing of east');
    assert.deepEqual(world.refusals(away), [
      'billing of east goes on as billing.east at west (epoch 1) already; nothing to do',
    ]);
    assert.equal(await world.move(back), 'east 2 for billing of east');
    assert.deepEqual(world.refusals(back), [
      'the home of billing.east is east (epoch 2), not west',
    ]);
    assert.equal(await world.move({ ...away, at: 900n }), 'west 3 for billing of east');
    assert.equal(world.offsets.get('billing.east/east.orders/0'), 901n);
  });

  test('at a third site it goes on under the id that it has, and back from there', async () => {
    const world = new World();
    await world.move({ group: 'billing', as: 'billing.east' });
    const on = { group: 'billing.east', from: west, to: north };
    assert.deepEqual(world.refusals({ ...on, as: 'billing.east.west' }), [
      'billing.east stands in for billing of east: it goes on at north under its own id: leave --as out',
    ]);
    assert.equal(await world.move(on), 'north 2 for billing of east');
    assert.deepEqual(world.refusals({ ...on, from: north, to: east }), [
      'billing.east stands in for billing of east: there it goes on with --as billing',
    ]);
    const back = { group: 'billing.east', from: north, to: east, as: 'billing' };
    assert.equal(await world.move(back), 'east 3 for billing of east');
  });

  test('refused: modes that have no use for it, ids that are somebody else', async () => {
    const world = new World();
    await world.move({ group: 'billing', as: 'billing.east' });
    await world.move({ group: 'other' });
    const first = (request: Parameters<World['facts']>[0]): string | undefined =>
      world.refusals(request)[0];
    assert.equal(
      first({ group: 'ledger', as: 'ledger.east' }),
      'ledger is of mode single: it goes on at west under its own id: leave --as out',
    );
    assert.equal(
      first({ group: 'audit', as: 'audit.east' }),
      'audit is of mode everywhere: its progress at west is its own; nothing to do',
    );
    assert.match(
      first({ group: 'billing', from: north }) ?? '',
      /--as billing.north moves it under another/,
    );
    assert.equal(
      first({ group: 'billing', as: 'spare' }),
      'billing of east goes on as billing.east at west (epoch 1): bring that back first',
    );
    assert.equal(
      first({ group: 'billing', from: north, as: 'billing.east' }),
      'billing.east is another group: it stands in for billing of east',
    );
    assert.equal(
      first({ group: 'plain', as: 'other' }),
      'other is another group: it is at home at west (epoch 1)',
    );
    assert.equal(
      first({ group: 'billing', from: north, as: 'ledger' }),
      'ledger is declared as a group of its own, of mode single',
    );
    assert.equal(
      first({ group: 'other', from: west, to: north, as: 'other.west' }),
      'other has a home of its own, west (epoch 1): it goes on at north under its own id: leave --as out',
    );
  });

  test('commits of its own under that id are replaced only when that is asked for', () => {
    const world = new World();
    world.offsets.set('billing.east/east.orders/0', 7n);
    const request = { group: 'billing', as: 'billing.east' };
    assert.match(world.refusals(request)[0] ?? '', /billing.east has commits of its own at west/);
    assert.deepEqual(world.refusals({ ...request, overwrite: true }), []);
  });

  test('back with the ledger lost: only when somebody says so', async () => {
    const world = new World();
    const back = { group: 'billing.east', from: west, to: east, as: 'billing' };
    assert.match(world.refusals(back)[0] ?? '', /it is not known that billing.east stands in/);
    assert.equal(await world.move({ ...back, overwrite: true }), 'east 1 for billing of east');
  });

  test('who stood there before', () => {
    const home = {
      site: west,
      epoch: 1,
      state: 'moved' as const,
      standsFor: { group: 'billing', site: east },
    };
    assert.equal(formerId('billing.east', home, east), 'billing');
    assert.equal(formerId('billing.east', { ...home, site: east }, west), 'billing.east');
    assert.equal(formerId('ledger', { site: west, epoch: 2, state: 'moved' }, east), 'ledger');
  });

  test('ids that no group can have', () => {
    for (const as of ['', 'billing', 'causeway.shop.east']) {
      const request = { group: 'billing', from: east, to: west, as, overwrite: false };
      assert.throws(() => checkId(request), { code: 'usage' });
    }
  });
});
