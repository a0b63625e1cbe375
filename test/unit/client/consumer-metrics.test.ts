import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metrics } from '@opentelemetry/api';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { observe, type MetricFacts } from '../../../src/client/consumer/consumer-metrics.ts';
import { Tally } from '../../../src/client/consumer/tally.ts';

/** Collects when it is asked to, and sends nothing anywhere. */
class ByHand extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

async function samples(reader: MetricReader): Promise<Record<string, unknown>> {
  const { resourceMetrics } = await reader.collect();
  const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  return Object.fromEntries(
    found.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => {
        const labels = Object.values(attributes).join();
        return [`${descriptor.name} ${labels}`, value];
      }),
    ),
  );
}

test('what a consumer counts, and where it is', async () => {
  const reader = new ByHand();
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  const tally = new Tally();
  tally.handled('east', 3);
  tally.handled('east', 4);
  tally.moved({ from: 'east', to: 'west' });
  let facts: MetricFacts = {
    group: 'billing',
    sites: ['east', 'west'],
    site: 'west',
    home: { site: 'west', epoch: 2 },
    records: tally.records,
    moves: tally.moves,
    rereadAtMost: 5n,
    siteSilentMs: 1_500,
  };
  const stop = observe(() => facts);
  const first = await samples(reader);
  assert.deepEqual(first, {
    'causeway_client_records billing,east': 7,
    'causeway_client_moves billing,east,west': 1,
    'causeway_client_running billing,east': 0,
    'causeway_client_running billing,west': 1,
    'causeway_client_home billing,east': 0,
    'causeway_client_home billing,west': 1,
    'causeway_client_home_epoch billing': 2,
    'causeway_client_reread_records billing': 5,
    'causeway_client_site_silent billing': 1.5,
  });
  facts = { ...facts, site: undefined, home: { site: 'east', epoch: 3 }, rereadAtMost: undefined };
  assert.deepEqual(await samples(reader), {
    ...first,
    'causeway_client_running billing,west': 0,
    'causeway_client_home billing,east': 1,
    'causeway_client_home billing,west': 0,
    'causeway_client_home_epoch billing': 3,
    'causeway_client_reread_records billing': NaN,
  });
  stop();
});
