import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { OffsetsRetention } from '../../../src/groups/offsets-retention.ts';
import { testDeps } from '../../support/deps.ts';

const sevenDaysMs = 7 * 24 * 3_600_000;

function stage() {
  const world = { nowMs: 0, minutes: '1', isAllowed: true };
  const configs = () => [
    {
      name: 'offsets.retention.minutes',
      value: world.minutes,
      isDefault: false,
      isSensitive: false,
    },
  ];
  const retention = new OffsetsRetention(
    {
      metadata: () =>
        Promise.resolve({
          clusterId: 'c',
          controllerId: 1,
          brokers: new Map([[1, { host: 'h', port: 1 }]]),
          topics: new Map(),
        }),
      brokerConfigs: () =>
        world.isAllowed
          ? Promise.resolve(configs())
          : Promise.reject(new MeshError('kafka_authorization', 'not allowed')),
    },
    { ...testDeps(), clock: { ...systemClock, monotonicMs: () => world.nowMs } },
  );
  return { world, retention };
}

test('what agents wrote is committed again after a quarter of the time', async () => {
  const { world, retention } = stage();
  await retention.look();
  assert.equal(retention.refreshMs, 15_000);
  world.minutes = '60';
  await retention.look();
  assert.equal(retention.refreshMs, 15_000);
  world.nowMs = 3_600_000;
  await retention.look();
  assert.equal(retention.refreshMs, 15 * 60_000);
});

test('where brokers may not be asked it is seven days, until they may', async () => {
  const { world, retention } = stage();
  world.isAllowed = false;
  await retention.look();
  assert.equal(retention.refreshMs, sevenDaysMs / 4);
  world.isAllowed = true;
  world.nowMs = 60_000;
  await retention.look();
  assert.equal(retention.refreshMs, 15_000);
});
