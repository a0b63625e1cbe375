/**
 * Without any agent: the site where the group can go on from the offsets that agents wrote there
 * earlier. One where it has members already comes first, then the order of the application.
 */
import type { Clock } from '../../base/clock.ts';
import { isMeshError, MeshError } from '../../base/errors.ts';
import type { ConsumerSite } from './options.ts';
import { SiteAdmin } from './site-admin.ts';
import type { TopicNames } from './topic-names.ts';

export interface SyncedParts {
  readonly group: string;
  /** In the order of preference. */
  readonly sites: readonly (readonly [name: string, site: ConsumerSite])[];
  readonly names: TopicNames;
  readonly clock: Clock;
}

interface Found {
  readonly site: string;
  readonly partitions: number;
  readonly members: number;
  /** Why it cannot be used; empty when it can. */
  readonly why: string;
}

/** @throws MeshError precondition, naming what was found at each site; aborted */
export async function syncedSite(parts: SyncedParts, signal: AbortSignal): Promise<string> {
  const found = await Promise.all(
    parts.sites.map(([name, { kafka }]) => look(parts, name, kafka, signal)),
  );
  const usable = found.filter(({ partitions }) => partitions > 0);
  const best = usable.find(({ members }) => members > 0) ?? usable[0];
  if (best !== undefined) return best.site;
  const { group } = parts;
  const seen = found.map(({ site, why }) => `${site}: ${why}`).join('; ');
  const text = `no agent answers, and no offsets of ${group} are at any site (${seen})`;
  throw new MeshError('precondition', `${text}: start an agent, which knows where it goes on`);
}

async function look(
  { group, names, clock }: SyncedParts,
  site: string,
  kafka: ConsumerSite['kafka'],
  signal: AbortSignal,
): Promise<Found> {
  await using admin = new SiteAdmin(site, kafka, clock, signal);
  try {
    const topics = names.among(await admin.topics());
    const offsets = topics.length === 0 ? [] : await admin.committed(group, topics);
    const partitions = offsets.filter(({ committed }) => committed !== undefined).length;
    const members = await admin.members(group);
    return { site, partitions, members, why: 'no offset of it' };
  } catch (error) {
    if (!isMeshError(error) || error.code === 'aborted') throw error;
    return { site, partitions: 0, members: 0, why: error.message };
  }
}
