/** The one place that decides what an error in a fetched partition means. */
import { MeshError } from '../base/errors.ts';
import type { FetchedPartition } from '../kafka/cluster.ts';
import { completeBatches } from '../records/batch-header.ts';
import { corrupt } from '../records/corrupt.ts';

/** Unknown topic, no or another leader, fenced or unknown epoch, storage: look at the metadata. */
const staleLeader: ReadonlySet<number> = new Set([3, 5, 6, 9, 56, 74, 75, 76, 78, 100, 103]);

/** undefined: the records may be used. `stale_leader`: refresh the metadata, fetch again. */
export function fetchTrouble(
  fetched: FetchedPartition,
  requestedOffset: number,
  site: string,
): MeshError | 'stale_leader' | undefined {
  const { errorCode, topic, partition } = fetched;
  if (errorCode === 0) return cutOff(fetched, requestedOffset, site);
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
    case 2:
      return corrupt(`${topic}/${partition}@${requestedOffset}`, `${site} cannot read its own log`);
    case 29:
      return new MeshError('kafka_authorization', `${where}: no permission to read`, { details });
    default:
      return new MeshError('kafka_request', `${where}: Kafka error ${errorCode} on fetch`, {
        details,
      });
  }
}

/**
 * A broker gives the first batch whole, however large, or nothing. When it is not whole, its length
 * is damaged, and no fetch would ever bring more.
 */
function cutOff(
  { topic, partition, records }: FetchedPartition,
  requestedOffset: number,
  site: string,
): MeshError | undefined {
  if (records.length === 0) return undefined;
  for (const _ of completeBatches(records)) return undefined;
  const text = `${site} gives ${records.length} bytes of a batch, and never the rest`;
  return corrupt(`${topic}/${partition}@${requestedOffset}`, text);
}
