import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeFaults } from './faults.ts';
import { isClean } from './tormented-mesh.ts';

test('leaders moved, a broker frozen, under load: 0 lost, 0 twice', async (t) => {
  const reading = await causeFaults(
    {
      seed: 3,
      lane: 'stamp',
      freezeMs: 8_000,
      faults: [
        ['leaders move', 'east'],
        ['freeze', 'west'],
      ],
    },
    (text) => t.diagnostic(text),
  );
  assert.ok(isClean(reading), JSON.stringify(reading));
  assert.ok(reading.produced > 5_000);
});
