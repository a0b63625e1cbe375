/** What groups/ needs of the rest, as small interfaces, so that its tests need no Kafka. */
import type { SiteName } from '../base/ids.ts';
import type {
  CommitResult,
  GroupMembers,
  GroupOffset,
  GroupOverview,
  ListedOffset,
  OffsetSpec,
  TopicPartition,
} from '../kafka/cluster.ts';

/** The group side of one Kafka cluster; `Cluster` satisfies it. */
export interface GroupCluster {
  listOffsets(
    partitions: readonly TopicPartition[],
    spec: OffsetSpec,
  ): Promise<readonly ListedOffset[]>;
  listGroups(): Promise<readonly GroupOverview[]>;
  groupOffsets(group: string): Promise<readonly GroupOffset[]>;
  groupMembers(group: string): Promise<GroupMembers>;
  commitGroupOffsets(
    group: string,
    offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata: string })[],
  ): Promise<readonly CommitResult[]>;
}

/** What is known about whether a site lives: evidence for a failover. */
export interface SiteLiveness {
  readonly site: SiteName;
  /** Our own Kafka connection to it works now. */
  readonly kafkaReachable: boolean;
  readonly kafkaRefusedSinceMs: number | undefined;
  readonly agentsConnected: number;
  readonly agentSilentSinceMs: number | undefined;
}
