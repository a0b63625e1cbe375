import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAgents } from './kill-agent.ts';
import { isClean } from './tormented-mesh.ts';

test('an agent killed with -9 under load, and a frozen one: 0 lost, 0 twice, in order, exact', async () => {
  const report = await killAgents({ kills: 3, seed: 7, brokers: 1, freezeMs: 0 }, () => undefined);
  assert.ok(isClean(report), JSON.stringify(report));
  assert.ok(report.produced > 5_000);
});
