import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ConsumerRunConfig, EachBatchPayload, EachMessagePayload, Kafka } from 'kafkajs';
import { systemClock } from '../../../src/base/clock.ts';
import { GroupMember } from '../../../src/client/consumer/group-member.ts';
import type { RunOptions } from '../../../src/client/consumer/handlers.ts';
import { TopicNames } from '../../../src/client/consumer/topic-names.ts';

/** A kafkajs client whose consumer does what the test says, and notes what is asked of it. */
function fakeKafka() {
  const asked: string[] = [];
  const created: unknown[] = [];
  let config: ConsumerRunConfig = {};
  let endJoin: () => void = () => undefined;
  const joined = new Promise<void>((resolve) => {
    endJoin = resolve;
  });
  const note = (what: string) => (): Promise<void> => {
    asked.push(what);
    return Promise.resolve();
  };
  const consumer = {
    events: {},
    on: () => () => undefined,
    connect: note('connect'),
    subscribe: note('subscribe'),
    disconnect: note('disconnect'),
    run: (wanted: ConsumerRunConfig) => {
      config = wanted;
      return joined;
    },
  };
  const make = (options: unknown) => {
    created.push(options);
    return consumer;
  };
  // Only the consumer is used.
  const kafka = { consumer: make } as unknown as Kafka;
  return { kafka, asked, created, endJoin: () => endJoin(), config: () => config };
}

async function member(handlers: RunOptions) {
  const fake = fakeKafka();
  const errors: string[] = [];
  let handled = 0;
  const one = new GroupMember(
    {
      group: 'billing',
      site: 'west',
      kafka: fake.kafka,
      topics: ['east.orders'],
      names: new TopicNames('orders', ['east', 'west']),
      config: {},
      handlers,
      onContact: () => undefined,
      onJoined: () => undefined,
      onHandled: (records) => (handled += records),
      onHandlerError: ({ message }) => errors.push(message),
    },
    systemClock,
  );
  void one.start();
  await turn();
  return { ...fake, one, errors, handled: () => handled };
}

// Of a payload only these are used.
const message = { topic: 'east.orders', partition: 0, message: { offset: '4' } };
const eachMessage = message as unknown as EachMessagePayload;

function batch(isRunning: boolean): { payload: EachBatchPayload; resolved: string[] } {
  const resolved: string[] = [];
  const payload = {
    batch: {
      topic: 'east.orders',
      partition: 0,
      messages: [{ offset: '4' }, { offset: '5' }],
      lastOffset: () => '6',
    },
    isRunning: () => isRunning,
    isStale: () => false,
    resolveOffset: (offset: string) => resolved.push(offset),
  };
  return { payload: payload as unknown as EachBatchPayload, resolved };
}

describe('a member of a group', () => {
  test('makes no topics, and is not started again by kafkajs', async () => {
    const { created } = await member({ eachMessage: () => Promise.resolve() });
    const [options] = created as [
      { allowAutoTopicCreation: boolean; retry: { restartOnFailure: () => Promise<boolean> } },
    ];
    assert.equal(options.allowAutoTopicCreation, false);
    assert.equal(await options.retry.restartOnFailure(), false);
  });

  test('leaves after it has joined, not before', async () => {
    const { one, asked, endJoin } = await member({ eachMessage: () => Promise.resolve() });
    await one.leave(20);
    assert.deepEqual(asked, ['connect', 'subscribe']);
    endJoin();
    await turn();
    assert.deepEqual(asked, ['connect', 'subscribe', 'disconnect']);
  });

  test('waits for the handler, and hands over nothing more', async () => {
    let finish: () => void = () => undefined;
    const work = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { one, config, endJoin, handled } = await member({ eachMessage: () => work });
    endJoin();
    const handling = config().eachMessage?.(eachMessage);
    let hasLeft = false;
    const leaving = one.leave(1_000).then(() => (hasLeft = true));
    await turn();
    assert.equal(hasLeft, false);
    await assert.rejects(config().eachMessage?.(eachMessage) ?? Promise.resolve(), /has left/);
    finish();
    await handling;
    await leaving;
    assert.equal(handled(), 1);
  });

  test('a batch counts as handled when the handler has returned', async () => {
    const { config } = await member({ eachBatch: () => Promise.resolve() });
    assert.equal(config().eachBatchAutoResolve, false);
    // Stopped meanwhile, and the handler went on to the end all the same.
    const { payload, resolved } = batch(false);
    await config().eachBatch?.(payload);
    assert.deepEqual(resolved, ['6']);
  });

  test('but not when the handler was told to stop, or resolves by itself', async () => {
    const careful = await member({
      eachBatch: (given) => {
        given.resolveOffset('4');
        if (given.isRunning()) given.resolveOffset('5');
        return Promise.resolve();
      },
    });
    const stopped = batch(false);
    await careful.config().eachBatch?.(stopped.payload);
    assert.deepEqual(stopped.resolved, ['4']);
    const own = await member({ eachBatch: () => Promise.resolve(), eachBatchAutoResolve: false });
    const { payload, resolved } = batch(true);
    await own.config().eachBatch?.(payload);
    assert.deepEqual(resolved, []);
  });

  test('what a handler throws goes on to kafkajs, and is told', async () => {
    const { config, errors, handled } = await member({
      eachMessage: () => Promise.reject(new Error('no disk')),
    });
    await assert.rejects(config().eachMessage?.(eachMessage) ?? Promise.resolve(), /no disk/);
    assert.deepEqual([errors, handled()], [['no disk'], 0]);
  });
});
