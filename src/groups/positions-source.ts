/** What a reader of positions is handed, and what it says of where they come from. */
import type { SiteName } from '../base/ids.ts';
import type { GroupOffset } from '../kafka/cluster.ts';
import type { FollowedCluster } from '../kafka/topic-follower.ts';
import type { GroupCluster } from './group-ports.ts';
import type { PositionsStore } from './positions-store.ts';

/**
 * Whose commit it is: the group's `own`; `ours`, written by an agent; or `foreign`, found in a group
 * that is at home elsewhere, and not known to be ours: it may be that we have not heard of it yet.
 */
export type CommitOrigin = 'own' | 'ours' | 'foreign';

export interface ReaderOptions {
  readonly site: SiteName;
  readonly cluster: GroupCluster & FollowedCluster;
  readonly store: PositionsStore;
  readonly isFollowed: (group: string) => boolean;
  readonly origin: (
    group: string,
    offset: Pick<GroupOffset, 'topic' | 'partition' | 'offset'>,
  ) => CommitOrigin;
  /** Resolves when all that agents had written by now is known to `origin`. */
  readonly settle: () => Promise<void>;
  /** Told of a group in which the log has something new, by whomever. */
  readonly onCommits?: (group: string) => void;
  readonly pollMs?: number;
}

export interface PositionsSource {
  readonly site: SiteName;
  readonly mode: 'starting' | 'log' | 'polling';
  /** Why not from the log, or what else there is to say. */
  readonly why: string;
  /** Up to when all groups are known, wall clock. */
  readonly asOfMs: number | undefined;
  readonly groups: number;
  /** Commits in the log that could not be read, and groups that are asked because of them. */
  readonly unreadableCommits: number;
  readonly groupsAsked: number;
}
