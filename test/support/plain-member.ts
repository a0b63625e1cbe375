/** Members of consumer groups at the shared clusters, that read whatever there is. */
import kafkajs from 'kafkajs';
import { brokersOf, type TestSite } from './clusters.ts';

export function kafkaOf(site: TestSite): kafkajs.Kafka {
  const { Kafka, logLevel } = kafkajs;
  return new Kafka({ brokers: brokersOf(site), logLevel: logLevel.NOTHING });
}

/** Reads as a member of the group, until it is disconnected; how often each value came. */
export async function member(
  site: TestSite,
  group: string,
  topics: string[],
  read: Map<string, number>,
): Promise<kafkajs.Consumer> {
  const consumer = kafkaOf(site).consumer({ groupId: group, sessionTimeout: 6_000 });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 200,
    eachMessage: ({ message }) => {
      const value = message.value?.toString() ?? '';
      read.set(value, (read.get(value) ?? 0) + 1);
      return Promise.resolve();
    },
  });
  return consumer;
}
