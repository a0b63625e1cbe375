/**
 * Groups whose commits were deleted, or have expired, everywhere: after a day nothing is kept of
 * them but their homes, whose epochs have to outlive them.
 *
 * Invariant: what agents wrote is forgotten only where nothing of it stands any more.
 */
import type { Deps } from '../base/deps.ts';
import { rounds } from '../base/rounds.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { GroupCluster } from './group-ports.ts';
import type { Ledger } from './ledger.ts';
import type { PositionsStore } from './positions-store.ts';

const sweepMs = 3_600_000;
const keptMs = 24 * 3_600_000;

export interface ForgottenGroupsParts {
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  readonly cluster: Pick<GroupCluster, 'groupOffsets'>;
  readonly append: (records: readonly StateRecord[]) => Promise<void>;
}

export class ForgottenGroups {
  readonly #parts: ForgottenGroupsParts;
  readonly #deps: Deps;

  constructor(parts: ForgottenGroupsParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const options = { intervalMs: sweepMs, failed: 'groups that are gone not forgotten' };
    await rounds(() => this.sweep(), options, this.#deps, signal);
  }

  async sweep(): Promise<void> {
    const { store, ledger, cluster, append } = this.#parts;
    const forgotten = store.forget(this.#deps.clock.monotonicMs(), keptMs);
    if (forgotten.length > 0) await append(forgotten);
    const isKnown = (group: string): boolean =>
      store.sites().some((site) => store.has(site, group));
    for (const group of ledger.writtenGroups()) {
      if (isKnown(group)) continue;
      const written = ledger.written(group);
      const standing = await cluster.groupOffsets(group);
      if (isKnown(group) || standing.some(({ offset }) => offset >= 0n)) continue;
      await ledger.forgetWritten(group, written);
    }
  }
}
