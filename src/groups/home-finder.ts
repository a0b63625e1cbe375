/**
 * Groups of which nobody says how they are used: those that have committed at one site only are at
 * home there, once all sites were heard.
 */
import type { SiteName } from '../base/ids.ts';
import type { GroupHome } from './answer.ts';
import type { Ledger } from './ledger.ts';
import type { ResolvedMode } from './mode.ts';
import type { PositionsStore } from './positions-store.ts';

export interface HomeFinderOptions {
  readonly site: SiteName;
  readonly otherSites: () => readonly SiteName[];
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  readonly modeOf: (group: string) => ResolvedMode;
}

export class HomeFinder {
  readonly #options: HomeFinderOptions;
  /** Groups that have committed somewhere since it was looked whether they have a home. */
  readonly #homeless = new Set<string>();

  constructor(options: HomeFinderOptions) {
    this.#options = options;
  }

  /** It has committed somewhere. */
  note(group: string): void {
    this.#homeless.add(group);
  }

  async find(): Promise<void> {
    const { site, otherSites, store, ledger, modeOf } = this.#options;
    const sites = [site, ...otherSites()];
    if (!sites.every((one) => store.siteAsOfMs(one) !== undefined)) return;
    const found: [string, GroupHome][] = [];
    for (const group of [...this.#homeless]) {
      this.#homeless.delete(group);
      const { mode, isDeclared, home } = modeOf(group);
      if (isDeclared || mode !== 'single' || home !== undefined) continue;
      const [at] = sites.filter((one) => store.positions(one, group).length > 0);
      if (at === undefined) continue;
      found.push([group, { site: at, epoch: 1, state: 'found' }]);
    }
    await ledger.setHomes(found);
  }
}
