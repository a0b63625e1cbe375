import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failovers, isKept } from './failovers.ts';

test('20 failovers and ways home under load: nothing skipped, nothing again but what was said', async (t) => {
  const options = { count: 20, groups: 10, seed: 7, client: 'kafkajs' } as const;
  const totals = await failovers(options, (text) => t.diagnostic(text));
  assert.ok(isKept(totals), JSON.stringify(totals, undefined, 1));
  assert.equal(totals.failovers, options.count);
  assert.equal(totals.positions, options.count * 4);
});
