/** Takes the oldest records out of a log, for good. */
import { MeshError } from '../base/errors.ts';
import type { TopicPartition } from './cluster.ts';
import { refusal } from './convert-error.ts';
import { deleteRecordsRequest } from './requests/delete-records.ts';
import type { KafkaCluster } from './session.ts';

/**
 * @param before the first offset that stays
 * @throws MeshError kafka_unavailable while there is no leader; kafka_authorization; kafka_request
 */
export async function deleteRecords(
  { control, name }: KafkaCluster,
  at: TopicPartition,
  before: bigint,
): Promise<void> {
  const { topics } = await control.metadata([at.topic]);
  const leader = topics.get(at.topic)?.partitions[at.partition]?.leader ?? -1;
  const what = `${at.topic}/${at.partition}`;
  if (leader < 0) throw new MeshError('kafka_unavailable', `${what} of ${name} has no leader`);
  const { errorCode } = await control.toBroker(leader, deleteRecordsRequest(at, before));
  if (errorCode !== 0) throw refusal(name, `deleting what ${what} had before ${before}`, errorCode);
}
