import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSlotShare } from '../../src/kafka/slot-group.ts';
import { uniqueName } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

for (const site of ['east', 'west'] as const) {
  test(`slots are shared, move when members come and go, and are confirmed (${site})`, async () => {
    await using cluster = await openTestCluster(site);
    const group = uniqueName('slots');
    const open = (): ReturnType<typeof openSlotShare> =>
      openSlotShare({ cluster, group, sessionTimeoutMs: 6_000 }, testDeps());
    const first = open();
    await until('the first to hold all', () => first.held.size === 64);
    assert.equal(await first.confirm(5), true);
    const before = [...first.held];
    const second = open();
    await until('two shares', () => first.held.size === 32 && second.held.size === 32);
    assert.ok([...first.held].every((slot) => before.includes(slot)));
    assert.ok([...second.held].every((slot) => !first.held.has(slot)));
    assert.equal(await first.confirm([...second.held][0] ?? 0), false);
    await second[Symbol.asyncDispose]();
    await until('the first to hold all again', () => first.held.size === 64);
    await first[Symbol.asyncDispose]();
    assert.equal(first.held.size, 0);
  });
}
