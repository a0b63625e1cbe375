/** Waiting until everything that agents of a site had written by now has been loaded. */
import { withDeadline, type Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import type { Reached } from '../base/reached.ts';
import type { GroupCluster } from './group-ports.ts';

const heardMsMax = 5_000;

/** @throws MeshError kafka_timeout */
export async function ledgerHeard(
  topic: string,
  cluster: Pick<GroupCluster, 'listOffsets'>,
  loaded: Reached,
  clock: Clock,
): Promise<void> {
  const [listed] = await cluster.listOffsets([{ topic, partition: 0 }], 'latest');
  const end = listed?.errorCode === 0 ? Number(listed.offset) : 0;
  await withDeadline(clock, heardMsMax, loaded.reach(end), () => {
    return new MeshError('kafka_timeout', `${topic} not read to offset ${end} in time`);
  });
}
