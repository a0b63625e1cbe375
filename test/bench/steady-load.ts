/** A producer that writes at an even rate, over one connection, batches of any codec in turn. */
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '../../src/base/errors.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { until } from '../support/until.ts';
import { write } from './write-batches.ts';

const underWayMax = 32;

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
    const sending: Promise<void> = write(link, batches).then(
      () => void underWay.delete(sending),
      (error: unknown) => void refused.push(errorMessage(error)),
    );
    underWay.add(sending);
  }
  await until('acknowledgements', () => underWay.size === 0 || refused.length > 0);
  if (refused.length > 0) throw new Error(refused[0]);
  return written;
}
