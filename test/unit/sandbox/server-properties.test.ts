import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverProperties } from '../../../src/sandbox/server-properties.ts';

const brokers = [1, 2, 3].map((id) => ({ id, port: 9_000 + id, controllerPort: 8_000 + id }));
const input = { kafkaVersion: '4.3.0', brokers, dataDir: '/d/east', extraConfig: {} };

function settings(text: string): Map<string, string> {
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
}

test('three brokers keep three copies and elect among themselves', () => {
  const [first] = brokers;
  assert.ok(first);
  const found = settings(serverProperties(first, input));
  assert.equal(
    found.get('controller.quorum.voters'),
    '1@localhost:8001,2@localhost:8002,3@localhost:8003',
  );
  assert.equal(found.get('listeners'), 'PLAINTEXT://localhost:9001,CONTROLLER://localhost:8001');
  assert.equal(found.get('advertised.listeners'), 'PLAINTEXT://localhost:9001');
  assert.equal(found.get('offsets.topic.replication.factor'), '3');
  assert.equal(found.get('transaction.state.log.min.isr'), '2');
  assert.equal(found.get('share.coordinator.state.topic.min.isr'), '2');
});

test('one broker keeps one copy; Kafka 3 has no share groups', () => {
  const one = brokers.slice(0, 1);
  const [first] = one;
  assert.ok(first);
  const found = settings(
    serverProperties(first, { ...input, kafkaVersion: '3.9.2', brokers: one }),
  );
  assert.equal(found.get('offsets.topic.replication.factor'), '1');
  assert.equal(found.get('transaction.state.log.min.isr'), '1');
  assert.ok(![...found.keys()].some((key) => key.startsWith('share.')));
});

test('behind a proxy: listens at one port and tells clients the other', () => {
  const broker = {
    id: 1,
    port: 9_001,
    controllerPort: 8_001,
    wan: { port: 7_001, advertised: 6_001 },
  };
  const found = settings(serverProperties(broker, { ...input, brokers: [broker] }));
  assert.ok(found.get('listeners')?.endsWith(',WAN://localhost:7001'));
  assert.ok(found.get('advertised.listeners')?.endsWith(',WAN://localhost:6001'));
  assert.equal(found.get('listener.security.protocol.map')?.includes('WAN:PLAINTEXT'), true);
});

test('extra settings win, and no value can become another line', () => {
  const extraConfig = { 'log.dirs': 'C:\\data', 'num.partitions': '3\nprocess.roles=broker' };
  const [first] = brokers;
  assert.ok(first);
  const found = settings(serverProperties(first, { ...input, extraConfig }));
  assert.equal(found.get('log.dirs'), 'C:\\\\data');
  assert.equal(found.get('num.partitions'), '3\\nprocess.roles=broker');
  assert.equal(found.get('process.roles'), 'broker,controller');
});
