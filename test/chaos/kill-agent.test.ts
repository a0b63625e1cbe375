import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isClean, killAgents } from './kill-agent.ts';

for (const [lane, seed] of [
  ['stamp', 7],
  ['pass', 8],
  ['both', 9],
] as const) {
  test(`lane ${lane}: an agent killed with -9 under load, and a frozen one: 0 lost, 0 twice, in order, exact`, async () => {
    const report = await killAgents({ kills: 3, seed, freezeMs: 0, lane }, () => undefined);
    assert.ok(isClean(report), JSON.stringify(report));
    assert.ok(report.produced > 5_000);
  });
}
