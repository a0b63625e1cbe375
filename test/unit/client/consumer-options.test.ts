import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import kafkajs, { type KafkaMessage } from 'kafkajs';
import { birthOf } from '../../../src/client/consumer/birth.ts';
import { TopicNames } from '../../../src/client/consumer/topic-names.ts';
import { MeshConsumer, MeshError, type MeshConsumerOptions } from '../../../src/client/index.ts';

const kafka = new kafkajs.Kafka({ brokers: ['localhost:1'], logLevel: kafkajs.logLevel.NOTHING });
const good: MeshConsumerOptions = {
  group: 'billing',
  sites: { east: { kafka, agents: ['localhost:7401'] }, west: { kafka } },
  topics: 'orders',
};

describe('what an application says of its consumer', () => {
  const cases: readonly (readonly [Partial<MeshConsumerOptions>, string, RegExp])[] = [
    [{ group: '' }, 'usage', /group: found ""/],
    [{ sites: {} }, 'usage', /sites: found \[\], wanted at least one/],
    [{ sites: { East: { kafka } } }, 'usage', /sites: found "East"/],
    [{ origins: ['no.rth'] }, 'usage', /found "no.rth"/],
    [
      { sites: { east: { kafka, agents: ['http://localhost:7401/'] } } },
      'usage',
      /sites.east.agents: found "http.*wanted host:port/,
    ],
    [{ firstSite: 'wst' }, 'site_unknown', /no site wst in east, west/],
    [{ topics: [] }, 'usage', /topics: found \[\]/],
    [{ moveOnLoss: { afterMs: 10 } }, 'usage', /moveOnLoss.afterMs: found 10/],
  ];
  for (const [more, code, text] of cases) {
    test(`${code}: ${text.source}`, () => {
      assert.throws(
        () => new MeshConsumer({ ...good, ...more }),
        (error) => error instanceof MeshError && error.code === code && text.test(error.message),
      );
    });
  }

  test('one handler', async () => {
    const nothing = (): Promise<void> => Promise.resolve();
    for (const handlers of [{}, { eachMessage: nothing, eachBatch: nothing }]) {
      await assert.rejects(new MeshConsumer(good).run(handlers), /wanted eachMessage or eachBatch/);
    }
  });

  test('stopped before it was run', async () => {
    await using consumer = new MeshConsumer(good);
    assert.equal(consumer.status().state, 'idle');
  });
});

describe('topics by their name at birth', () => {
  const names = new TopicNames(['orders', /^payments\./], ['east', 'west', 'north']);

  test('the local one and its copies, over any way', () => {
    const all = ['orders', 'west.orders', 'north.west.orders', 'west.payments.eu'];
    assert.deepEqual(names.among(['x.orders', 'orders2', 'my.orders', ...all]), all.sort());
  });

  test('none that is internal', () => {
    const open = new TopicNames(/./, ['east', 'west']);
    const internal = ['__consumer_offsets', 'east.checkpoints.internal', 'west.__causeway-groups'];
    assert.deepEqual(open.among(['west.a', ...internal]), ['west.a']);
  });

  test('a pattern with a memory forgets', () => {
    const global = new TopicNames(/^orders$/g, ['east']);
    assert.deepEqual(
      [1, 2].map(() => global.isWanted('orders')),
      [true, true],
    );
  });
});

describe('where a record was born', () => {
  // Of a message only these are looked at.
  const message = (offset: string, ...stamps: string[]): KafkaMessage =>
    ({
      offset,
      headers: { 'causeway-origin': stamps.map((one) => Buffer.from(one)) },
    }) as unknown as KafkaMessage;
  const at = { site: 'west', partition: 3 };

  test('here', () => {
    // Somebody copied the headers of another record.
    const found = birthOf(message('5', 'east/orders/0@9'), { ...at, topic: 'orders', hops: 0 });
    assert.deepEqual(found, { site: 'west', topic: 'orders', partition: 3, offset: 5n });
  });

  test('over one hop and over two: by the last stamps', () => {
    const one = birthOf(message('5', 'old/orders/0@9', 'east/orders/3@1207'), {
      ...at,
      topic: 'east.orders',
      hops: 1,
    });
    assert.deepEqual(one, { site: 'east', topic: 'orders', partition: 3, offset: 1207n });
    const two = birthOf(message('5', 'east/orders/3@1207', 'north/east.orders/3@9#2'), {
      ...at,
      topic: 'north.east.orders',
      hops: 2,
    });
    assert.deepEqual(two, { site: 'east', topic: 'orders', partition: 3, offset: 1207n });
  });

  test('not told', () => {
    const topic = 'east.orders';
    assert.equal(birthOf(message('5'), { ...at, topic, hops: 1 }), undefined);
    assert.equal(birthOf(message('5', 'forged'), { ...at, topic, hops: 1 }), undefined);
  });
});
