/**
 * Reads the committed offsets of this site's own groups again and again: a list of groups, then
 * each group's offsets, a bounded number at a time. What agents wrote themselves into a group
 * that is at home elsewhere is not a position of it.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
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
  readonly intervalMs?: number;
}

const asksMax = 8;

export class PositionsPoller {
  readonly #options: PollerOptions;
  readonly #deps: Deps;
  #isFailing = false;

  constructor(options: PollerOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    while (!signal.aborted) {
      try {
        await this.round(signal);
        this.#isFailing = false;
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        if (!this.#isFailing) log.warn({ why: errorMessage(error) }, 'groups not read');
        this.#isFailing = true;
      }
      await clock.sleep(this.#options.intervalMs ?? 1_000, signal).catch(() => undefined);
    }
  }

  async round(signal: AbortSignal): Promise<void> {
    const { cluster, isFollowed } = this.#options;
    const groups = (await cluster.listGroups()).filter(
      (one) => isConsumerGroup(one) && isFollowed(one.group),
    );
    const asks = new Semaphore(asksMax);
    await Promise.all(groups.map(({ group }) => asks.run(() => this.readGroup(group), signal)));
  }

  async readGroup(group: string): Promise<void> {
    const { site, cluster, store, isOurs } = this.#options;
    const asOfMs = this.#deps.clock.nowMs();
    const offsets = await cluster.groupOffsets(group);
    const found = offsets.filter((one) => one.offset >= 0n && !isOurs(group, one));
    store.observe(site, group, found, asOfMs);
  }
}

/**
 * Ordinary consumers, and groups that only hold offsets; not share groups, not Connect's workers.
 */
function isConsumerGroup({ protocolType, groupType }: GroupOverview): boolean {
  if (groupType === 'share' || groupType === 'streams') return false;
  return protocolType === 'consumer' || protocolType === '';
}
