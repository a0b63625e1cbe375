import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kinds } from './oracle-stage.ts';
import { consultOracle, isTrue } from './oracle.ts';

test('positions of every kind of log between three sites, and while agents die: never ahead, exact', async () => {
  const options = {
    kinds,
    positions: 1_000,
    records: 600,
    seed: 7,
    sites: 3,
    kills: 1,
  };
  const report = await consultOracle(options, () => undefined);
  assert.ok(isTrue(report), JSON.stringify(report, undefined, 1));
  for (const kind of kinds) assert.equal(report.kinds[kind]?.asked, options.positions);
  assert.ok(report.underLoad.asked > 100);
});
