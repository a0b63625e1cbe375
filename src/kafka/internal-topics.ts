/** The topics in which agents of a site keep their state: made when missing, checked when there. */
import { MeshError } from '../base/errors.ts';
import { retry } from '../base/retry.ts';
import type { Deps } from '../base/deps.ts';
import type { Cluster, NewTopic } from './cluster.ts';
import { topicAlreadyExists } from './codes.ts';
import { refusal } from './convert-error.ts';
import { replicationFactor } from './replication-factor.ts';

export const stateTopics = {
  offsetMaps: '__causeway-offset-maps',
  groups: '__causeway-groups',
  topology: '__causeway-topology',
  controls: '__causeway-controls',
  events: '__causeway-events',
  fences: '__causeway-fences',
} as const;

const compacted = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(64 * 1024 * 1024),
  'min.cleanable.dirty.ratio': '0.2',
  'max.message.bytes': String(2 * 1024 * 1024),
};
const thirtyDaysMs = String(30 * 24 * 60 * 60 * 1000);
const oneHourMs = String(60 * 60 * 1000);

const configsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [stateTopics.offsetMaps]: compacted,
  [stateTopics.groups]: compacted,
  [stateTopics.topology]: compacted,
  [stateTopics.controls]: compacted,
  [stateTopics.events]: { 'cleanup.policy': 'delete', 'retention.ms': thirtyDaysMs },
  [stateTopics.fences]: { 'cleanup.policy': 'delete', 'retention.ms': oneHourMs },
};

const leaderRetry = { attemptsMax: 30, delayMsMin: 50, delayMsMax: 1_000 };

/**
 * @param replicationFactor undefined: as many as there are brokers, three at most
 * @throws MeshError state_corrupt when a topic is there in a shape that would lose state;
 * kafka_unavailable while fewer brokers are alive than a topic needs
 */
export async function ensureInternalTopics(
  cluster: Cluster,
  options: { readonly replicationFactor: number | undefined },
  deps: Deps,
): Promise<void> {
  const metadata = await cluster.metadata();
  const missing = Object.entries(configsOf).filter(([name]) => !metadata.topics.has(name));
  if (missing.length > 0) {
    const factor = replicationFactor(options.replicationFactor, cluster.name, metadata);
    const wanted = missing.map(([name, configs]): NewTopic => {
      return { name, partitions: 1, replicationFactor: factor, configs };
    });
    for (const { name, errorCode, errorMessage } of await cluster.createTopics(wanted)) {
      // Another agent of the site was faster.
      if (errorCode === 0 || errorCode === topicAlreadyExists) continue;
      throw refusal(cluster.name, `making ${name}`, errorCode, errorMessage);
    }
  }
  await retry(deps.clock, leaderRetry, () => checkTopics(cluster));
}

async function checkTopics(cluster: Cluster): Promise<void> {
  const { topics } = await cluster.metadata();
  const names = Object.keys(configsOf);
  for (const name of names) {
    const found = topics.get(name)?.partitions;
    if (found === undefined || (found[0]?.leader ?? -1) < 0) {
      throw new MeshError('kafka_unavailable', `${name} at ${cluster.name} has no leader yet`);
    }
    if (found.length !== 1) {
      throw misshaped(cluster, name, `${found.length} partitions`, '1 partition');
    }
  }
  for (const [name, entries] of await cluster.topicConfigs(names)) {
    const policy = entries.find((entry) => entry.name === 'cleanup.policy')?.value;
    const wanted = configsOf[name]?.['cleanup.policy'];
    if (wanted === 'compact' && policy !== wanted) {
      throw misshaped(cluster, name, `cleanup.policy ${policy ?? 'unset'}`, 'compact');
    }
  }
}

function misshaped(cluster: Cluster, name: string, found: string, wanted: string): MeshError {
  const text = `${name} at ${cluster.name}: found ${found}, wanted ${wanted}`;
  return new MeshError('state_corrupt', text, { details: { topic: name } });
}
