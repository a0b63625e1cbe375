/**
 * A consumer that runs where its group is at home and follows when that moves. Told by the
 * environment: EAST_BROKERS, EAST_AGENTS (gRPC), WEST_BROKERS, WEST_AGENTS, GROUP, TOPICS.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeshConsumer, type ConsumerSite } from 'causeway/client';
import kafkajs from 'kafkajs';

const { GROUP = 'billing', TOPICS = 'orders', WORK_MS = '0' } = process.env;
const { MOVE_AFTER_MS, WITHOUT_AGENTS = 'no', AGENT_TIMEOUT_MS = '10000' } = process.env;
const list = (name: string): string[] => process.env[name]?.split(',') ?? [];
const site = (name: string): ConsumerSite => ({
  kafka: new kafkajs.Kafka({
    clientId: GROUP,
    brokers: list(`${name}_BROKERS`),
    logLevel: kafkajs.logLevel.NOTHING,
  }),
  agents: list(`${name}_AGENTS`),
});

const say = (event: string, what: unknown): void => {
  const text = JSON.stringify({ event, what }, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
  process.stdout.write(`${text}\n`);
};

const consumer = new MeshConsumer({
  group: GROUP,
  sites: { east: site('EAST'), west: site('WEST') },
  topics: TOPICS.split(','),
  agentTimeoutMs: Number(AGENT_TIMEOUT_MS),
  ...(MOVE_AFTER_MS !== undefined && {
    moveOnLoss: { afterMs: Number(MOVE_AFTER_MS), withoutAgents: WITHOUT_AGENTS === 'yes' },
  }),
  hooks: {
    onStart: (report) => say('start', report),
    onMove: (move) => say('move', move),
    onLeave: (left) => say('leave', left),
    onLost: (loss) => say('lost', loss),
    onWaiting: (why) => say('waiting', why),
    onError: (error) => say('error', error.message),
  },
});

process.once('SIGTERM', () => void consumer.stop());
await consumer.run({
  eachMessage: async ({ message, birth, site: at }) => {
    await sleep(Number(WORK_MS)); // The work.
    const { site: born, topic, partition, offset } = birth() ?? {};
    say('handled', { at, born, topic, partition, offset, value: message.value?.toString() });
  },
});
await consumer.ended;
say('stopped', consumer.status());
// kafkajs may still be trying to reach a site that was lost.
process.exit();
