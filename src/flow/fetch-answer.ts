/** The one place that decides what an error in a fetched partition means. */
import { MeshError } from '../base/errors.ts';
import type { FetchedPartition } from '../kafka/cluster.ts';

/** Unknown topic, no or another leader, fenced or unknown epoch, storage: look at the metadata. */
const staleLeader: ReadonlySet<number> = new Set([3, 5, 6, 9, 56, 74, 75, 76, 78, 100, 103]);

/** undefined: the records may be used. `stale_leader`: refresh the metadata, fetch again. */
export function fetchTrouble(
  fetched: FetchedPartition,
  requestedOffset: number,
  site: string,
): MeshError | 'stale_leader' | undefined {
  const { errorCode, topic, partition } = fetched;
  if (errorCode === 0) return undefined;
  if (staleLeader.has(errorCode)) return 'stale_leader';
  const where = `${topic}/${partition} at ${site}`;
  const details = { topic, partition, site, errorCode };
  switch (errorCode) {
    case 1:
      return new MeshError(
        'source_reset',
        `${where}: offset ${requestedOffset} is not in the log any more`,
        { details },
      );
    case 29:
      return new MeshError('kafka_authorization', `${where}: no permission to read`, { details });
    default:
      return new MeshError('kafka_request', `${where}: Kafka error ${errorCode} on fetch`, {
        details,
      });
  }
}
