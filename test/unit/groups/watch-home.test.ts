import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { siteName } from '../../../src/base/ids.ts';
import { Ledger } from '../../../src/groups/ledger.ts';
import { resolveMode } from '../../../src/groups/mode.ts';
import { PositionsStore } from '../../../src/groups/positions-store.ts';
import type { SwitchoverRequest, SwitchoverStep } from '../../../src/groups/updates.ts';
import { HomeTeller, type HomeView } from '../../../src/groups/watch-home.ts';
import { parseTopology } from '../../../src/topology/parse.ts';

const [east, west] = [siteName('east'), siteName('west')];
const topology = parseTopology(
  `apiVersion: causeway/v1
mesh: shop
version: 1
sites:
  east: {kafka: {brokers: ["localhost:1"]}, agents: [{grpc: "localhost:2", http: "localhost:3"}]}
  west: {kafka: {brokers: ["localhost:4"]}, agents: [{grpc: "localhost:5", http: "localhost:6"}]}
defaults: {groups: {modes: {billing: {mode: single, home: east}}}}
`,
  'mesh.yaml',
);

function watchOf(group: string) {
  const ledger = new Ledger(() => Promise.resolve());
  const store = new PositionsStore();
  const watch = new HomeTeller({
    modeOf: (one) => {
      const seenAt = () => [east, west].filter((site) => store.has(site, one));
      return resolveMode(topology, one, { home: ledger.home(one), seenAt });
    },
    ledger,
    clock: systemClock,
  });
  const stop = new AbortController();
  const views = watch.watch(group, stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<HomeView> => {
    const found = await views.next();
    assert.ok(found.done !== true);
    return found.value;
  };
  return { ledger, store, watch, next, end: () => stop.abort() };
}

const request: SwitchoverRequest = {
  group: 'billing',
  from: east,
  to: west,
  producersStopped: false,
  execute: true,
  timeoutMs: 1_000,
  requestedBy: 'ana',
  overwrite: false,
};

/** A switchover whose steps come when the test says so. */
function steps() {
  let put: (step: SwitchoverStep | Error | undefined) => void = () => undefined;
  async function* all(): AsyncIterable<SwitchoverStep> {
    for (;;) {
      const step = await new Promise<SwitchoverStep | Error | undefined>((resolve) => {
        put = resolve;
      });
      if (step === undefined) return;
      if (step instanceof Error) throw step;
      yield step;
    }
  }
  return { all, put: (step: SwitchoverStep | Error | undefined) => put(step) };
}

// What a step says of its plan is passed on unread.
const waiting = { kind: 'waiting', waitingFor: ['members'] } as unknown as SwitchoverStep;

describe('the home of a group, for its members', () => {
  test('as it is, then as it moves', async () => {
    const { ledger, next, end } = watchOf('billing');
    assert.deepEqual(await next(), {
      group: 'billing',
      mode: 'single',
      home: { site: east, epoch: 1, state: 'declared' },
      leaving: undefined,
    });
    await ledger.setHome('other', { site: west, epoch: 9, state: 'moved' });
    await ledger.setHome('billing', { site: west, epoch: 2, state: 'moved' });
    assert.deepEqual((await next()).home, { site: west, epoch: 2, state: 'moved' });
    end();
  });

  test('positions of its own at two sites and no home: contested', async () => {
    const { store, next, end } = watchOf('audit');
    assert.deepEqual((await next()).mode, 'off');
    for (const site of [east, west]) {
      store.observe(
        site,
        'audit',
        [{ topic: 'orders', partition: 0, offset: 1n, metadata: '', leaderEpoch: -1 }],
        1,
      );
    }
    assert.equal((await next()).mode, 'contested');
    end();
  });

  test('a switchover that waits asks them to leave, until it ends', async () => {
    for (const how of [undefined, new Error('called off')]) {
      const { watch, next, end } = watchOf('billing');
      assert.equal((await next()).leaving, undefined);
      const script = steps();
      const running = (async () => {
        for await (const step of watch.during(request, script.all())) assert.equal(step, waiting);
      })();
      script.put(waiting);
      assert.deepEqual((await next()).leaving, { from: east, to: west });
      script.put(how);
      if (how === undefined) await running;
      else await assert.rejects(running, how);
      assert.equal((await next()).leaving, undefined);
      end();
    }
  });

  test('of two that wait the second does not end what the first asks for', async () => {
    const { watch, ledger, next, end } = watchOf('billing');
    await next();
    const scripts = [steps(), steps()] as const;
    const [first, second] = scripts.map(async ({ all }) => {
      for await (const step of watch.during(request, all())) assert.equal(step, waiting);
    });
    scripts[0].put(waiting);
    assert.deepEqual((await next()).leaving, { from: east, to: west });
    scripts[1].put(new Error('refused'));
    await assert.rejects(second ?? Promise.resolve(), /refused/);
    await ledger.setHome('billing', { site: east, epoch: 2, state: 'moved' });
    const { home, leaving } = await next();
    assert.deepEqual([home?.epoch, leaving], [2, { from: east, to: west }]);
    scripts[0].put(undefined);
    await first;
    assert.equal((await next()).leaving, undefined);
    end();
  });

  test('one that is refused, or only looked at, does not', async () => {
    const { watch, ledger, next, end } = watchOf('billing');
    await next();
    const refused = steps();
    const running = watch.during(request, refused.all())[Symbol.asyncIterator]().next();
    refused.put(new Error('refused'));
    await assert.rejects(running, /refused/);
    const looked = steps();
    const step = watch.during({ ...request, execute: false }, looked.all());
    const first = step[Symbol.asyncIterator]().next();
    looked.put(waiting);
    await first;
    await ledger.setHome('billing', { site: west, epoch: 2, state: 'moved' });
    const view = await next();
    assert.deepEqual([view.home?.epoch, view.leaving], [2, undefined]);
    end();
  });
});
