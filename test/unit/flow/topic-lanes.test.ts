import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import { TopicLanes } from '../../../src/flow/topic-lanes.ts';
import type { TopicConfigEntry } from '../../../src/kafka/cluster.ts';
import { stampOnly } from '../../../src/topology/lane.ts';
import type { LaneChoice } from '../../../src/topology/model.ts';

type Policies = Record<string, string | MeshError>;

/** A cluster that tells the policies of its topics, or why not. */
function cluster(policies: Policies): {
  asked: number;
  topicConfigs: (
    topics: readonly string[],
  ) => Promise<ReadonlyMap<string, readonly TopicConfigEntry[]>>;
} {
  const made = {
    asked: 0,
    topicConfigs: (topics: readonly string[]) => {
      made.asked += 1;
      const refused = topics
        .map((topic) => policies[topic])
        .find((one) => one instanceof MeshError);
      if (refused !== undefined) return Promise.reject(refused);
      const found = topics.flatMap((topic): [string, TopicConfigEntry[]][] => {
        const value = policies[topic];
        return typeof value === 'string' ? [[topic, [entry(value)]]] : [];
      });
      return Promise.resolve(new Map(found));
    },
  };
  return made;
}

function entry(value: string): TopicConfigEntry {
  return { name: 'cleanup.policy', value, isDefault: false, isSensitive: false };
}

const passAll: LaneChoice = { ...stampOnly, default: 'pass' };

function lanesOf(
  source: Policies,
  target: Policies,
  lane: LaneChoice = passAll,
): {
  lanes: TopicLanes;
  round: (...topics: string[]) => Promise<boolean>;
  pass: (ms: number) => void;
  source: { asked: number };
} {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const from = cluster(source);
  const settings = { from: siteName('east'), to: siteName('west'), lane };
  const lanes = new TopicLanes(settings, { source: from, target: cluster(target), clock });
  const round = (...topics: string[]): Promise<boolean> =>
    lanes.round(topics.map((topic) => ({ topic, remoteTopic: `east.${topic}` })));
  return { lanes, round, pass: (ms) => (nowMs += ms), source: from };
}

test('a topic is passed when asked for, and compacted at neither end; else it says why not', async () => {
  const policies = {
    orders: 'delete',
    table: 'compact',
    both: 'compact,delete',
    squeezed: 'delete',
  };
  const target = {
    'east.orders': 'delete',
    'east.table': 'delete',
    'east.both': 'delete',
    'east.squeezed': 'compact',
  };
  const { lanes, round } = lanesOf(policies, target);
  assert.equal(lanes.of('orders').lane, 'stamp', 'until it is known');
  await round('orders', 'table', 'both', 'squeezed');
  assert.equal(lanes.of('orders').lane, 'pass');
  assert.deepEqual(lanes.of('table'), {
    lane: 'stamp',
    why: 'stamp lane, not pass: cleanup.policy of table at east is compact',
  });
  assert.match(lanes.of('both').why, /of both at east is compact,delete$/);
  assert.match(lanes.of('squeezed').why, /of east\.squeezed at west is compact$/);
});

test('policies are looked at for topics to be passed only, when new and then each minute', async () => {
  const policies: Policies = { orders: 'delete', logs: 'delete' };
  const lane: LaneChoice = { ...stampOnly, pass: { include: ['logs'], exclude: [] } };
  const { lanes, round, pass, source } = lanesOf(policies, { 'east.logs': 'delete' }, lane);
  await round('orders');
  assert.equal(source.asked, 0);
  await round('orders', 'logs');
  await round('orders', 'logs');
  assert.deepEqual(
    [source.asked, lanes.of('logs').lane, lanes.of('orders').lane],
    [1, 'pass', 'stamp'],
  );
  policies['logs'] = 'compact';
  pass(60_000);
  await round('orders', 'logs');
  assert.deepEqual([source.asked, lanes.of('logs').lane], [2, 'stamp']);
  policies['logs'] = 'delete';
  pass(60_000);
  await round('orders', 'logs');
  assert.equal(lanes.of('logs').lane, 'pass');
});

test('a topic whose settings may not be read is stamped, and holds up no other', async () => {
  const refused = new MeshError('kafka_authorization', 'not authorized: DESCRIBE_CONFIGS');
  const policies = { orders: 'delete', secret: refused };
  const { lanes, round } = lanesOf(policies, { 'east.orders': 'delete', 'east.secret': 'delete' });
  await round('orders', 'secret', 'gone');
  assert.equal(lanes.of('orders').lane, 'pass');
  assert.match(lanes.of('secret').why, /of secret at east is not known \(not authorized/);
  assert.match(lanes.of('gone').why, /of gone at east is not known \(not found\)/);
});

test('a cluster that does not answer changes nothing: it is asked again', async () => {
  const policies: Policies = { orders: 'delete' };
  const { lanes, round, pass } = lanesOf(policies, { 'east.orders': 'delete' });
  await round('orders');
  pass(60_000);
  policies['orders'] = new MeshError('kafka_timeout', 'no answer');
  await assert.rejects(round('orders'), /no answer/);
  assert.equal(lanes.of('orders').lane, 'pass');
});
