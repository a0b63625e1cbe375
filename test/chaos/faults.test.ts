import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeFaults } from './faults.ts';
import { isClean } from './tormented-mesh.ts';

test('leaders of both sites moved, a broker frozen, under load: 0 lost, 0 twice', async () => {
  const reading = await causeFaults(
    {
      seed: 3,
      lane: 'stamp',
      freezeMs: 8_000,
      faults: [
        ['leaders move', 'east'],
        ['leaders move', 'west'],
        ['freeze', 'west'],
      ],
    },
    () => undefined,
  );
  assert.ok(isClean(reading), JSON.stringify(reading));
  assert.ok(reading.produced > 5_000);
});
