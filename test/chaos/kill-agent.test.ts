import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killAgents } from './kill-agent.ts';
import { isClean } from './tormented-mesh.ts';

for (const [lane, kills, seed] of [
  ['stamp', 3, 7],
  ['pass', 2, 8],
  ['both', 2, 9],
] as const) {
  test(`lane ${lane}: an agent killed with -9 under load, and a frozen one: 0 lost, 0 twice, in order, exact`, async () => {
    const options = { kills, seed, brokers: 1, freezeMs: 0, lane } as const;
    const report = await killAgents(options, () => undefined);
    assert.ok(isClean(report), JSON.stringify(report));
    assert.ok(report.produced > 5_000);
  });
}
