import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAgents } from './kill-agent.ts';
import { isClean } from './tormented-mesh.ts';

test('an agent killed with -9 under load, in both lanes, and a frozen one: 0 lost, 0 twice, in order, exact', async () => {
  // Each agent carries in the other lane than the one before it did.
  const shape = { brokers: 1, partitions: 4, lane: 'both' } as const;
  const options = { kills: 4, seed: 9, freezeMs: 0, ...shape };
  const report = await killAgents(options, () => undefined);
  assert.ok(isClean(report), JSON.stringify(report));
  assert.ok(report.produced > 5_000);
});
