/**
 * Asks for the committed offsets of groups, a bounded number of groups at a time: of all groups
 * where their log may not be read, of single ones where it says what we cannot read.
 */
import type { Deps } from '../base/deps.ts';
import type { SiteName } from '../base/ids.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { GroupOffset, GroupOverview } from '../kafka/cluster.ts';
import type { GroupCluster } from './group-ports.ts';
import type { PositionsStore } from './positions-store.ts';

export interface PollerOptions {
  readonly site: SiteName;
  readonly cluster: GroupCluster;
  readonly store: PositionsStore;
  readonly isFollowed: (group: string) => boolean;
  /** Written by an agent and never read by the group: not a position. */
  readonly isOurs: (group: string, offset: GroupOffset) => boolean;
  /** Looked at when the answer is here: false once the log tells of the group. */
  readonly isWanted: (group: string) => boolean;
}

const asksMax = 8;

export class PositionsPoller {
  readonly #options: PollerOptions;
  readonly #deps: Deps;

  constructor(options: PollerOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  /**
   * All groups that are there, and those that were, but for those that the log tells of.
   * @throws the first failure, after all others have been asked
   */
  async round(signal: AbortSignal): Promise<void> {
    const { site, cluster, store, isFollowed, isWanted } = this.#options;
    const listed = (await cluster.listGroups()).filter(isConsumerGroup).map(({ group }) => group);
    const wereThere = store.groups(site).filter((group) => {
      return store.positions(site, group).some(({ offset }) => offset !== undefined);
    });
    const groups = [...new Set([...listed, ...wereThere])];
    await this.readGroups(
      groups.filter((group) => isFollowed(group) && isWanted(group)),
      signal,
    );
  }

  /** @throws the first failure, after all others have been asked */
  async readGroups(groups: readonly string[], signal: AbortSignal): Promise<void> {
    const asks = new Semaphore(asksMax);
    const results = await Promise.allSettled(
      groups.map((group) => asks.run(() => this.readGroup(group), signal)),
    );
    const failed = results.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  async readGroup(group: string): Promise<void> {
    const { site, cluster, store, isOurs, isWanted } = this.#options;
    const asOfMs = this.#deps.clock.nowMs();
    const offsets = await cluster.groupOffsets(group);
    if (!isWanted(group)) return;
    const found = offsets.filter((one) => one.offset >= 0n && !isOurs(group, one));
    store.observe(site, group, found, asOfMs);
  }
}

/** All that commit offsets as consumers do, and groups that only hold offsets. */
function isConsumerGroup({ protocolType, groupType }: GroupOverview): boolean {
  if (groupType === 'share') return false;
  return protocolType === 'consumer' || protocolType === 'streams' || protocolType === '';
}
