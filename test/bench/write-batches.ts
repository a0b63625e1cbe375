/** Batches that the bench writes itself: again while a topic just made has no leader yet. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerLink, ProducePartition } from '../../src/kafka/cluster.ts';
import { kafkaErrorName } from '../../src/kafka/codes.ts';

const timeoutMs = 30_000;
const attemptsMax = 100;
const early: readonly string[] = ['NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_TOPIC_OR_PARTITION'];

/**
 * @param batches one of a partition at most
 * @throws Error naming what was refused
 */
export async function write(link: BrokerLink, batches: readonly ProducePartition[]): Promise<void> {
  let left = batches;
  for (let attempt = 1; ; attempt += 1) {
    const answers = await link.produce({ batches: left, timeoutMs });
    const refused = new Map(
      answers
        .filter(({ errorCode }) => errorCode !== 0)
        .map((one) => [`${one.topic}/${one.partition}`, one]),
    );
    left = left.filter(({ topic, partition }) => refused.has(`${topic}/${partition}`));
    if (left.length === 0) return;
    const worst = [...refused.values()].find(({ errorCode }) => {
      return !early.includes(kafkaErrorName(errorCode)) || attempt === attemptsMax;
    });
    if (worst !== undefined) {
      const { topic, partition, errorCode, errorMessage } = worst;
      throw new Error(`${topic}/${partition}: ${kafkaErrorName(errorCode)} ${errorMessage}`);
    }
    await sleep(50);
  }
}
