/**
 * Who reads positions of which site: this agent those of its own, always; and those of another site
 * while no agent of it answers, from its Kafka, as long as that lives.
 *
 * At a site whose agents are away only groups that are at home there are read: what stands in the
 * others may have been written by those agents, and only their ledger could tell.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import type { FollowedCluster } from '../kafka/topic-follower.ts';
import type { GroupHome } from './answer.ts';
import type { GroupCluster, SiteLiveness } from './group-ports.ts';
import { PositionsReader } from './positions-reader.ts';
import type { PositionsSource, ReaderOptions } from './positions-source.ts';

export type ReadCluster = GroupCluster & FollowedCluster;

export interface SiteReadersOptions extends Omit<ReaderOptions, 'pollMs'> {
  readonly otherSites: () => readonly SiteName[];
  readonly liveness: (site: SiteName) => SiteLiveness;
  readonly remoteCluster: (site: SiteName) => ReadCluster | undefined;
  readonly homeOf: (group: string) => GroupHome | undefined;
  /** An agent may be replaced within that time without anybody reading in its stead. */
  readonly awayMs?: number;
}

interface Away {
  readonly reader: PositionsReader;
  readonly cluster: ReadCluster;
  readonly stop: LinkedAbort;
  readonly done: Promise<void>;
}

const lookMs = 1_000;
const awayMs = 10_000;

export class SiteReaders {
  readonly #options: SiteReadersOptions;
  readonly #deps: Deps;
  readonly #own: PositionsReader;
  readonly #away = new Map<SiteName, Away>();

  constructor(options: SiteReadersOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#own = new PositionsReader(options, deps);
  }

  sources(): readonly PositionsSource[] {
    return [this.#own, ...[...this.#away.values()].map(({ reader }) => reader)].map((reader) =>
      reader.source(),
    );
  }

  /** Of the positions of this agent's own site. */
  get own(): PositionsReader {
    return this.#own;
  }

  /** The reader of that site's positions; undefined while its own agents tell them. */
  reader(site: SiteName): PositionsReader | undefined {
    return site === this.#options.site ? this.#own : this.#away.get(site)?.reader;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#own.run(signal), this.#lookAround(signal)]);
  }

  /** The home of a group, or what is followed, is another now. */
  review(group: string): void {
    for (const reader of this.#readers()) reader.review(group);
  }

  reviewAll(): void {
    for (const reader of this.#readers()) reader.reviewAll();
  }

  #readers(): PositionsReader[] {
    return [this.#own, ...[...this.#away.values()].map(({ reader }) => reader)];
  }

  async #lookAround(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const others = this.#options.otherSites();
      for (const site of new Set([...others, ...this.#away.keys()])) {
        const isAway = others.includes(site) && this.#isAway(site);
        const cluster = isAway ? this.#options.remoteCluster(site) : undefined;
        const running = this.#away.get(site);
        if (running?.cluster === cluster) continue;
        if (running !== undefined) await this.#stop(site, running);
        if (cluster !== undefined) this.#start(site, cluster, signal);
      }
      await clock.sleep(lookMs, signal).catch(() => undefined);
    }
    for (const [site, running] of [...this.#away]) await this.#stop(site, running);
  }

  #isAway(site: SiteName): boolean {
    const { agentsConnected, agentSilentSinceMs } = this.#options.liveness(site);
    if (agentsConnected > 0) return false;
    const awayForMs = this.#deps.clock.nowMs() - (agentSilentSinceMs ?? -Infinity);
    return awayForMs >= (this.#options.awayMs ?? awayMs);
  }

  #start(site: SiteName, cluster: ReadCluster, signal: AbortSignal): void {
    const { store, isFollowed } = this.#options;
    const reader = new PositionsReader(
      {
        site,
        cluster,
        store,
        isFollowed: (group) => isFollowed(group) && this.#isAtHome(group, site),
        origin: () => 'own',
        settle: () => Promise.resolve(),
      },
      this.#deps,
    );
    const stop = new LinkedAbort(signal);
    const done = reader
      .run(stop.signal)
      .catch((error: unknown) => {
        this.#deps.log.error({ site, why: errorMessage(error) }, 'positions not read');
      })
      .finally(() => stop[Symbol.dispose]());
    this.#away.set(site, { reader, cluster, stop, done });
    this.#deps.log.info(
      { site },
      'no agent of the site answers: positions are read from its Kafka',
    );
  }

  /**
   * Whether its commits there are the group's own. Of a group without a home they are, unless it
   * has committed elsewhere: then the agents that are away may have written them.
   */
  #isAtHome(group: string, at: SiteName): boolean {
    const { store, homeOf } = this.#options;
    const home = homeOf(group);
    if (home !== undefined) return home.site === at;
    return store.sites().every((site) => site === at || !store.has(site, group));
  }

  async #stop(site: SiteName, { stop, done }: Away): Promise<void> {
    stop.abort();
    await done;
    this.#away.delete(site);
    this.#deps.log.info({ site }, 'positions are not read from its Kafka any more');
  }
}
