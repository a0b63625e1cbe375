/**
 * Where the source's partitions end while nothing is fetched from them (paused, being taken
 * over): so that lag and the loss statement stay true of what is not moving.
 */
import { errorMessage } from '../base/errors.ts';
import type { FlowContext } from './flow-context.ts';
import type { PartitionCopy } from './partition-copy.ts';

export async function readIdleEnds(
  context: FlowContext,
  copies: readonly PartitionCopy[],
): Promise<void> {
  const { source, settings, deps } = context;
  if (copies.length === 0 || source.unreachableSinceMs !== undefined) return;
  const byName = new Map(copies.map((copy) => [`${copy.id.topic}/${copy.id.partition}`, copy]));
  try {
    const listed = await source.cluster.listOffsets(
      copies.map(({ id }) => ({ topic: id.topic, partition: id.partition })),
      'latest',
      'read_committed',
    );
    for (const { topic, partition, errorCode, offset } of listed) {
      if (errorCode === 0) byName.get(`${topic}/${partition}`)?.setSourceEnd(Number(offset));
    }
  } catch (error) {
    deps.log.debug({ flow: settings.id, why: errorMessage(error) }, 'ends not read');
  }
}
