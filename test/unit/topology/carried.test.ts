import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { siteName } from '../../../src/base/ids.ts';
import { carriedTopic, translationRoute } from '../../../src/topology/carried.ts';
import { matchesFilter } from '../../../src/topology/filter.ts';
import { groupDeclaration } from '../../../src/topology/groups.ts';
import type { Topology } from '../../../src/topology/model.ts';
import { topicChain } from '../../../src/topology/names.ts';
import { parseTopology } from '../../../src/topology/parse.ts';
import { resolveSecret } from '../../../src/topology/secrets.ts';

function example(name: string): Topology {
  const url = new URL(`../../../topology/${name}.yaml`, import.meta.url);
  return parseTopology(readFileSync(url, 'utf8'), name);
}

function carried(topology: Topology, flow: string, topic: string): string {
  const settings = topology.flows.find(({ id }) => id === flow);
  assert.ok(settings);
  const answer = carriedTopic(settings, topology, topic);
  return answer.carried ? answer.remoteTopic : `no: ${answer.why}`;
}

describe('what a flow carries', () => {
  const triangle = example('triangle');
  const cases: readonly [string, string][] = [
    ['orders', 'east.orders'],
    ['my.orders', 'east.my.orders'],
    ['west.orders', 'no: has been at west'],
    ['north.orders', 'no: north is not forwarded'],
    ['south.orders', 'no: south is not forwarded'], // a retired site's copies are not local
    ['tmp.x', 'no: left out by the topic filter'],
    ['__consumer_offsets', 'no: internal topic'],
    ['mm2-offset-syncs.west.internal', 'no: internal topic'],
    ['west.checkpoints.internal', 'no: internal topic'],
    ['connect-offsets', 'no: own state of Kafka Connect'],
    ['reconnect-orders', 'east.reconnect-orders'],
    ['_schemas', 'no: own state of Schema Registry'],
    ['_schemas_of_mine', 'east._schemas_of_mine'],
    ['shop-totals-changelog', 'no: own state of Kafka Streams'],
    ['shop-by-customer-repartition', 'no: own state of Kafka Streams'],
    ['east.checkpoints.internal', 'no: internal topic'],
    ['my.checkpoints.internal', 'no: internal topic'],
    ['heartbeats', 'east.heartbeats'],
    ['my.heartbeats', 'east.my.heartbeats'],
    ['west.heartbeats', 'no: has been at west'],
    ['north.heartbeats', 'no: north is not forwarded'],
    ['n'.repeat(249), `no: east.${'n'.repeat(249)} is longer than 249 characters`],
  ];
  for (const [topic, wanted] of cases) {
    test(`${topic.slice(0, 40)}: ${wanted.slice(0, 40)}`, () => {
      assert.equal(carried(triangle, 'east->west', topic), wanted);
    });
  }

  test('the state of other tools is carried where a pattern means it', () => {
    const withTopics = (include: string[]): Topology => ({
      ...triangle,
      flows: triangle.flows.map((flow) => ({ ...flow, topics: { include, exclude: [] } })),
    });
    const all = withTopics(['.*', '_schemas', 'shop-.*-changelog']);
    assert.equal(carried(all, 'east->west', '_schemas'), 'east._schemas');
    assert.equal(carried(all, 'east->west', 'shop-a-changelog'), 'east.shop-a-changelog');
    assert.equal(carried(all, 'east->west', 'b-changelog'), 'no: own state of Kafka Streams');
    assert.equal(carried(all, 'east->west', 'connect-a'), 'no: own state of Kafka Connect');
    assert.equal(carried(all, 'east->west', '__consumer_offsets'), 'no: internal topic');
  });

  test('heartbeats: whatever the filter says, unless they are turned off', () => {
    const off: Topology = { ...triangle, mm2: { checkpoints: true, heartbeats: false } };
    const narrow: Topology = {
      ...triangle,
      flows: triangle.flows.map((flow) => ({
        ...flow,
        topics: { include: ['orders', 'my.*'], exclude: ['heart.*'] },
      })),
    };
    assert.equal(carried(narrow, 'east->west', 'heartbeats'), 'east.heartbeats');
    assert.equal(carried(off, 'east->west', 'heartbeats'), 'no: internal topic');
    assert.equal(carried(off, 'east->west', 'my.heartbeats'), 'east.my.heartbeats');
    assert.equal(
      carried(example('hub'), 'centre->north', 'south.heartbeats'),
      'centre.south.heartbeats',
    );
  });

  test('a hub forwards what it is told to, never back', () => {
    const hub = example('hub');
    assert.equal(carried(hub, 'centre->north', 'south.orders'), 'centre.south.orders');
    assert.equal(carried(hub, 'centre->north', 'north.orders'), 'no: has been at north');
    assert.equal(carried(hub, 'north->centre', 'centre.orders'), 'no: has been at centre');
  });

  test('chains name the last hop first', () => {
    const hub = example('hub');
    assert.deepEqual(topicChain('centre.south.my.orders', hub), {
      chain: ['centre', 'south'],
      localName: 'my.orders',
    });
  });
});

describe('routes of translation', () => {
  const route = (name: string, topic: string, from: string, to: string): string => {
    const found = translationRoute(example(name), topic, siteName(from), siteName(to));
    if (found === undefined) return 'none';
    const steps = found.steps.map((step) => `${step.direction} ${step.flow} ${step.topic}`);
    return [...steps, found.topic].join(' | ');
  };

  test('failover, failback and the other site`s own topic', () => {
    assert.equal(
      route('pair', 'orders', 'east', 'west'),
      'forward east->west orders | east.orders',
    );
    assert.equal(
      route('pair', 'east.orders', 'west', 'east'),
      'inverse east->west orders | orders',
    );
    assert.equal(
      route('pair', 'orders', 'west', 'east'),
      'forward west->east orders | west.orders',
    );
  });

  test('between two copies of a third site`s topic, through its birth', () => {
    assert.equal(
      route('triangle', 'north.orders', 'east', 'west'),
      'inverse north->east orders | forward north->west orders | north.orders',
    );
  });

  test('through a hub', () => {
    assert.equal(
      route('hub', 'centre.south.orders', 'north', 'south'),
      'inverse centre->north south.orders | inverse south->centre orders | orders',
    );
    assert.equal(
      route('hub', 'orders', 'north', 'south'),
      'forward north->centre orders | forward centre->south north.orders | centre.north.orders',
    );
    assert.equal(route('aggregate', 'metrics.a', 'east', 'west'), 'none');
  });
});

test('filters match the whole name and exclude wins', () => {
  const filter = { include: ['a.*', 'b'], exclude: ['ab'] };
  assert.deepEqual(
    ['a', 'abc', 'ab', 'b', 'bb'].map((name) => matchesFilter(filter, name)),
    [true, true, false, true, false],
  );
});

test('groups: declared, left out, our own', () => {
  const { groups } = example('pair');
  assert.equal(groupDeclaration(groups, 'billing').declaration?.mode, 'single');
  assert.equal(groupDeclaration(groups, 'toString').declaration, undefined);
  assert.equal(groupDeclaration(groups, 'console-consumer-1').isIncluded, false);
  assert.equal(groupDeclaration(groups, 'causeway.shop.east->west').isIncluded, false);
});

test('secrets are put in from environment and files; a missing one is named, without values', async () => {
  const sources = {
    env: { A: 'alpha' },
    readFile: (path: string) =>
      path === '/f' ? Promise.resolve('from file\n') : Promise.reject(new Error('ENOENT')),
  };
  assert.equal(await resolveSecret('x ${env:A} ${file:/f} y', sources), 'x alpha from file y');
  await assert.rejects(resolveSecret('${env:B}', sources), /environment variable B is not set/);
  await assert.rejects(resolveSecret('${file:/g}', sources), /\/g cannot be read: ENOENT/);
});
