/**
 * Keeps the offsets of groups that are at home elsewhere up to date here, so that they can start
 * at any moment, with or without an agent to ask.
 *
 * Rules (docs/failover.md): 1. only the home's positions are written, only to groups without
 * members here; 2. an offset is overwritten only when it is absent, or ours by the ledger: of an
 * older epoch of the home it has been made ours when the home moved.
 */
import type { Deps } from '../base/deps.ts';
import { isMeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { GroupHome, TranslatedPosition } from './answer.ts';
import { accepted } from './failover.ts';
import type { GroupCluster } from './group-ports.ts';
import type { Ledger, WrittenOffset } from './ledger.ts';
import type { PositionsStore } from './positions-store.ts';

export interface SyncOptions {
  readonly site: SiteName;
  readonly cluster: GroupCluster;
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  /** The home of a group that is to be synced; undefined: not to be. */
  readonly homeOf: (group: string) => GroupHome | undefined;
  /** One agent of the site writes a group. */
  readonly owns: (group: string, from: SiteName) => boolean;
  readonly translate: (group: string, from: SiteName) => Promise<readonly TranslatedPosition[]>;
  readonly intervalMs?: number;
}

const unknownMember = 25;
const groupsAtOnce = 4;

export class GroupSync {
  readonly #options: SyncOptions;
  readonly #deps: Deps;
  readonly #failing = new Set<string>();

  constructor(options: SyncOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { intervalMs = 1_000 } = this.#options;
    const options = { intervalMs, failed: 'groups not synced' };
    await rounds(() => this.round(signal), options, this.#deps, signal);
  }

  async round(signal: AbortSignal): Promise<void> {
    const { site, homeOf, owns } = this.#options;
    const groups = new Set<string>();
    for (const { group, from } of this.#candidates()) {
      const home = homeOf(group);
      if (home?.site === from && from !== site && owns(group, from)) groups.add(group);
    }
    const asks = new Semaphore(groupsAtOnce);
    await Promise.all([...groups].map((group) => asks.run(() => this.#syncOne(group), signal)));
  }

  /** One group's trouble does not hold up the others; it is told once, until it is over. */
  async #syncOne(group: string): Promise<void> {
    const home = this.#options.homeOf(group);
    if (home === undefined || this.#options.store.positions(home.site, group).length === 0) return;
    try {
      await this.#sync(group, home.site);
      this.#failing.delete(group);
    } catch (error) {
      if (!isMeshError(error) || error.code === 'aborted') throw error;
      const level = this.#failing.has(group) ? 'debug' : 'warn';
      this.#failing.add(group);
      this.#deps.log[level]({ group, why: error.message }, 'group not synced');
    }
  }

  *#candidates(): Iterable<{ group: string; from: SiteName }> {
    const { store } = this.#options;
    for (const from of store.sites()) {
      for (const group of store.groups(from)) yield { group, from };
    }
  }

  async #sync(group: string, from: SiteName): Promise<void> {
    const { cluster, ledger, store } = this.#options;
    const metadata = new Map(
      store.positions(from, group).map((one) => [`${one.topic}/${one.partition}`, one.metadata]),
    );
    const translated = await this.#options.translate(group, from);
    const present = new Map(
      (await cluster.groupOffsets(group)).map((one) => [
        `${one.topic}/${one.partition}`,
        one.offset,
      ]),
    );
    const wanted: (WrittenOffset & { metadata: string })[] = [];
    for (const { source, target } of translated) {
      // Without a commit at home there is nothing to follow.
      if (source.offset === undefined || target.offset === undefined) continue;
      const { topic, partition, offset } = target;
      const here = present.get(`${topic}/${partition}`) ?? -1n;
      if (here === offset) continue;
      const isFree = here < 0n || ledger.isOurs(group, { topic, partition, offset: here });
      const note = metadata.get(`${source.topic}/${source.partition}`) ?? '';
      if (isFree) wanted.push({ topic, partition, offset, metadata: note });
    }
    if (wanted.length === 0) return;
    if ((await cluster.groupMembers(group)).memberCount > 0) return;
    await ledger.noteWritten(group, wanted);
    const results = await cluster.commitGroupOffsets(group, wanted);
    ledger.confirmWritten(group, accepted(wanted, results));
    const failed = results.find(({ errorCode }) => errorCode !== 0 && errorCode !== unknownMember);
    if (failed === undefined) return;
    const { topic, partition, errorCode } = failed;
    this.#deps.log.warn({ group, topic, partition, errorCode }, 'offset not synced');
  }
}
