/**
 * Keeps the transactional ids of running copies known to the target: Kafka forgets an id that has
 * made no transaction for `transactional.id.expiration.ms`, whatever its producer writes, and
 * would then give another producer id at the next takeover, which fences nobody.
 */
import { isAborted } from '../base/clock.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { FlowContext } from './flow-context.ts';
import type { PartitionCopy } from './partition-copy.ts';

const intervalMs = 60 * 60 * 1000;
const scratch = { topic: '__causeway-fences', partition: 0 };

export async function holdIds(
  context: FlowContext,
  copies: () => Iterable<PartitionCopy>,
  signal: AbortSignal,
): Promise<void> {
  const { deps, target, settings } = context;
  while (!signal.aborted) {
    await deps.clock.sleep(intervalMs, signal).catch(() => undefined);
    for (const copy of [...copies()]) {
      const holder = copy.holder;
      if (holder === undefined || isAborted(signal)) continue;
      try {
        await target.cluster.keepAlive(holder.transactionalId, holder.producer, scratch);
      } catch (error) {
        if (isMeshError(error, 'fenced')) copy.lose(error);
        else deps.log.warn({ flow: settings.id, why: errorMessage(error) }, 'id not kept alive');
      }
    }
  }
}
