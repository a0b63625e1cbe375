/** A producer that writes at an even rate, over one connection, batches of any codec in turn. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerLink, ProducePartition } from '../../src/kafka/cluster.ts';
import { kafkaErrorName } from '../../src/kafka/codes.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { until } from '../support/until.ts';

const underWayMax = 32;
const timeoutMs = 30_000;
const attemptsMax = 100;

export interface SteadyLoad {
  readonly topic: string;
  readonly partitions: number;
  readonly batchesPerSecond: number;
  /** Makes the next batch; called when it is written. */
  readonly nextBatch: () => Buffer;
}

/** Resolves on abort, when all that was written is acknowledged; how many batches that are. */
export async function writeSteadily(
  cluster: KafkaCluster,
  { topic, partitions, batchesPerSecond, nextBatch }: SteadyLoad,
  signal: AbortSignal,
): Promise<number> {
  const broker = [...(await cluster.metadata()).brokers.keys()][0] ?? 0;
  await using link = await cluster.openLink(broker, 'bench');
  const underWay = new Set<Promise<void>>();
  const refused: string[] = [];
  const startedMs = performance.now();
  let written = 0;
  while (!signal.aborted && refused.length === 0) {
    const due = ((performance.now() - startedMs) / 1000) * batchesPerSecond;
    if (written >= due || underWay.size >= underWayMax) {
      await sleep(1);
      continue;
    }
    const batches = [{ topic, partition: written % partitions, batch: nextBatch() }];
    written += 1;
    const sending: Promise<void> = produce(link, batches).then(
      (error) => {
        underWay.delete(sending);
        if (error !== undefined) refused.push(error);
      },
      (error: unknown) => void refused.push(String(error)),
    );
    underWay.add(sending);
  }
  await until('acknowledgements', () => underWay.size === 0 || refused.length > 0);
  if (refused.length > 0) throw new Error(`${topic}: ${refused[0] ?? ''}`);
  return written;
}

/** Again while a topic that was just made has no leader yet; undefined when it is written. */
async function produce(
  link: BrokerLink,
  batches: readonly ProducePartition[],
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const [answer] = await link.produce({ batches, timeoutMs });
    const { errorCode = -1, errorMessage = 'no answer' } = answer ?? {};
    if (errorCode === 0) return undefined;
    const name = kafkaErrorName(errorCode);
    const isEarly = name === 'NOT_LEADER_OR_FOLLOWER' || name === 'UNKNOWN_TOPIC_OR_PARTITION';
    if (!isEarly || attempt === attemptsMax) return `${name} ${errorMessage}`;
    await sleep(50);
  }
}
