/** The topics of this folder: made when missing, of the shape that MirrorMaker 2 gives them. */
import { isMeshError, MeshError } from '../base/errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { topicAlreadyExists } from '../kafka/codes.ts';
import { refusal } from '../kafka/convert-error.ts';
import { replicationFactor } from '../kafka/replication-factor.ts';

const common = { 'segment.bytes': String(1024 * 1024), 'min.cleanable.dirty.ratio': '0.2' };

/** Heartbeats: the last of each pair of sites is enough. */
export const heartbeatConfigs = { ...common, 'cleanup.policy': 'compact' };

/**
 * Checkpoints: `delete` beside `compact`, without a limit of age or size, because only then may
 * records be deleted that no longer count. Compaction alone would leave them for days.
 */
export const checkpointConfigs = {
  ...common,
  'cleanup.policy': 'compact,delete',
  'retention.ms': '-1',
  'retention.bytes': '-1',
};

/**
 * @param declaredFactor of replicas; undefined: as many as there are brokers, three at most
 * @throws MeshError state_corrupt for a topic of that name that something else must have made;
 * kafka_authorization; kafka_unavailable
 */
export async function ensureTopic(
  cluster: Cluster,
  name: string,
  configs: Readonly<Record<string, string>> & { readonly 'cleanup.policy': string },
  declaredFactor: number | undefined,
): Promise<void> {
  const metadata = await cluster.metadata();
  const found = metadata.topics.get(name);
  if (found === undefined) {
    const factor = replicationFactor(declaredFactor, cluster.name, metadata);
    const [made] = await cluster.createTopics([
      { name, partitions: 1, replicationFactor: factor, configs },
    ]);
    if (made?.errorCode === 0 || made?.errorCode === topicAlreadyExists) return;
    throw refusal(cluster.name, `making ${name}`, made?.errorCode ?? -1, made?.errorMessage);
  }
  const entries = (await cluster.topicConfigs([name])).get(name) ?? [];
  const policy = entries.find((entry) => entry.name === 'cleanup.policy')?.value ?? '';
  if (found.partitions.length !== 1 || !policy.split(',').includes('compact')) {
    const shape = `${found.partitions.length} partitions, cleanup.policy ${policy}`;
    const text = `${name} at ${cluster.name}: found ${shape}, wanted 1 and compact: not written to`;
    throw new MeshError('state_corrupt', text, { details: { topic: name } });
  }
  if (wordsOf(policy) === wordsOf(configs['cleanup.policy'])) return;
  try {
    await cluster.alterTopicConfigs(name, configs);
  } catch (error) {
    // Without it the topic serves as well, and longer than need be: told when that is met.
    if (!isMeshError(error) || error.retriable) throw error;
  }
}

function wordsOf(policy: string): string {
  return policy.split(',').sort().join();
}
