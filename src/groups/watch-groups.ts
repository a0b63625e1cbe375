/** What peers are told of groups: the positions of one site and all homes, and how they change. */
import type { SiteName } from '../base/ids.ts';
import { LatestQueue } from '../base/latest-queue.ts';
import type { Ledger } from './ledger.ts';
import type { PositionsStore } from './positions-store.ts';
import { updateKey, type GroupUpdate } from './updates.ts';

const updatesPerMessage = 500;

/** As they are, `synced`, then as they change: of each the latest, however slow the reader is. */
export async function* watchGroups(
  site: SiteName,
  store: PositionsStore,
  ledger: Ledger,
  signal: AbortSignal,
): AsyncIterable<readonly GroupUpdate[]> {
  const queue = new LatestQueue<GroupUpdate>();
  const put = (update: GroupUpdate): void => queue.put(updateKey(update), update);
  const stopPositions = store.onChange((change) => {
    if (change.kind === 'as_of' && change.site === site) put(change);
    for (const position of change.kind === 'positions' ? change.changed : []) {
      if (position.site === site) put({ kind: 'position', position });
    }
  });
  const stopHomes = ledger.onHome((group, home) => put({ kind: 'home', group, home }));
  try {
    for (const [group, home] of ledger.homes()) put({ kind: 'home', group, home });
    for (const position of store.all(site)) put({ kind: 'position', position });
    put({ kind: 'synced' });
    while (!signal.aborted) {
      const taken = await queue.take(updatesPerMessage, signal);
      // A time is told behind all that was known by then: when there is nothing left to tell.
      const some = taken.filter(({ kind }) => kind !== 'as_of');
      const asOfMs = queue.size === 0 ? store.siteAsOfMs(site) : undefined;
      if (asOfMs !== undefined) some.push({ kind: 'as_of', site, asOfMs });
      if (some.length > 0) yield some;
    }
  } finally {
    stopPositions();
    stopHomes();
  }
}
