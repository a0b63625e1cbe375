/** How many replicas a topic gets that is made for a mesh. */
import { MeshError } from '../base/errors.ts';
import type { ClusterMetadata } from './cluster.ts';

const usualMax = 3;

/**
 * What the topology declares; else as many as there are brokers, three at most.
 * @throws MeshError kafka_unavailable while the cluster counts no broker as alive, which one that
 * stalls does of itself and answers all the same
 */
export function replicationFactor(
  declared: number | undefined,
  cluster: string,
  metadata: Pick<ClusterMetadata, 'brokers'> | undefined,
): number {
  if (declared !== undefined) return declared;
  const brokers = metadata?.brokers.size ?? 0;
  if (brokers > 0) return Math.min(usualMax, brokers);
  throw new MeshError('kafka_unavailable', `${cluster} has no broker that is alive just now`);
}
