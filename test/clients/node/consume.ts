/**
 * `consume.ts BROKERS GROUP TOPICS PER_SECOND COMMIT_MS`: a kafkajs member of the group that says
 * on standard output what it has read, `r TOPIC PARTITION OFFSET NUMBER`, before it can be
 * committed, and what was, `c TOPIC PARTITION OFFSET`. SIGTERM: it commits and leaves.
 */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { numberOf } from '../../support/numbered-log.ts';

const [brokers = '', groupId = '', topics = '', perSecond = '0', commitMs = '0'] =
  process.argv.slice(2);
const { Kafka, logLevel } = kafkajs;
const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000, maxWaitTimeInMs: 200 });

/** At once, so that nothing that was said is lost when this process is killed. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
  for (const { topic, partitions } of payload.topics) {
    for (const { partition, offset } of partitions) say(`c ${topic} ${partition} ${offset}`);
  }
});

let read = 0;
const startedMs = performance.now();
await consumer.connect();
await consumer.subscribe({ topics: topics.split(','), fromBeginning: true });
await consumer.run({
  autoCommitInterval: Number(commitMs),
  eachMessage: async ({ topic, partition, message: { offset, headers } }) => {
    const all = Object.entries(headers ?? {}).map(([key, value]) => ({
      key: Buffer.from(key),
      value: Buffer.from(String(value)),
    }));
    say(`r ${topic} ${partition} ${offset} ${numberOf({ headers: all })}`);
    read += 1;
    const dueMs = Number(perSecond) === 0 ? 0 : (read / Number(perSecond)) * 1000;
    const aheadMs = dueMs - (performance.now() - startedMs);
    if (aheadMs > 10) await sleep(aheadMs);
  },
});
process.once('SIGTERM', () => {
  void consumer.disconnect().finally(() => process.exit(0));
});
