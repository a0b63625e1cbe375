import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectAgentMetrics } from '../../../src/agent/agent-metrics.ts';
import { MetricRegistry } from '../../../src/base/metrics.ts';
import { openTelemetry } from '../../../src/agent/telemetry.ts';
import type { FlowStatus } from '../../../src/flow/status.ts';

test('paused partitions are counted by the code that their reason begins with', () => {
  const partitions = [
    { state: 'paused', why: 'record_too_large: orders/0@7: 150000 bytes are more than it takes' },
    { state: 'paused', why: 'record_too_large: orders/1@9: 150000 bytes are more than it takes' },
    { state: 'paused', why: 'kafka_authorization: payments/0 at east: no permission to read' },
    { state: 'paused', why: 'partitions cannot be added: no permission' },
    { state: 'paused', why: 'paused by ana: the link is needed' },
    { state: 'copying', why: '' },
  ];
  // Only what is counted is there.
  const flow = { flow: 'east->west', state: 'blocked', lagRecords: 0n, slotsHeld: 64, partitions };
  const flows = [flow as unknown as FlowStatus];
  const site = { peers: [], positions: [], heartbeats: [], modes: [], bytesInFlight: 0 };
  const facts = { flows, ...site, topologyVersion: 1, hasConflict: false };
  const metrics = new MetricRegistry();
  const stop = collectAgentMetrics(metrics, () => facts);
  const found = [...metrics.samples('causeway_flow_partitions_paused')].map(({ labels, value }) => [
    labels['reason'],
    value,
  ]);
  assert.deepEqual(found, [
    ['record_too_large', 2],
    ['kafka_authorization', 1],
    ['other', 1],
    ['operator', 1],
  ]);
  stop();
});

test('a scrape looks at the flows once, however many gauges there are', async () => {
  const metrics = new MetricRegistry();
  let looks = 0;
  const rest = { peers: [], positions: [], heartbeats: [], modes: [], bytesInFlight: 0 };
  const stop = collectAgentMetrics(metrics, () => {
    looks += 1;
    return { flows: [], ...rest, topologyVersion: looks, hasConflict: false };
  });
  const identity = { mesh: 'shop', site: 'east', agent: 'east-1', softwareVersion: '0' };
  await using telemetry = await openTelemetry(metrics, identity);
  for (const scrape of [1, 2]) {
    const text = await telemetry.metricsText();
    assert.match(text, new RegExp(`^causeway_topology_version\\S* ${scrape}$`, 'm'));
    assert.equal(looks, scrape);
  }
  stop();
});
