/**
 * Which settings a remote topic is to have: the source's own ones, without what belongs to a
 * cluster, and with what copying needs whatever the source says. Pure.
 *
 * Only settings that the target's brokers know are ever sent: versions of Kafka differ in that, and
 * one unknown name would have the whole topic refused.
 */
import type { TopicConfigEntry } from '../kafka/cluster.ts';
import { matchesFilter } from '../topology/filter.ts';
import type { NameFilter } from '../topology/model.ts';

type Entries = readonly TopicConfigEntry[];

/** Room for the header that stamping adds to every record of a batch. */
const stampBytes = 64 * 1024;
const messageBytesDefault = 1_048_588;
const longest = '9223372036854775807';

/**
 * A copy's records have the times that they were born with, however old. From Kafka 3.6 on a limit
 * looks back and one ahead; until 3.9 the one before these still counts where they are not set.
 */
const forced: Readonly<Record<string, string>> = {
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': longest,
  'message.timestamp.after.max.ms': longest,
  'message.timestamp.difference.max.ms': longest,
};
const sizeKey = 'max.message.bytes';

/** What belongs to a cluster: its throttles, its promises, its tiers. */
const ownToCluster =
  /^(leader\.|follower\.|message\.timestamp\.|min\.insync|unclean\.|remote\.|local\.)/;
/** What batches have when they arrive, or what cannot be said of a copy. */
const decided: ReadonlySet<string> = new Set([
  sizeKey,
  'compression.type',
  'message.format.version',
  'message.downconversion.enable',
]);

function isFollowed(name: string, filter: NameFilter): boolean {
  return !ownToCluster.test(name) && !decided.has(name) && matchesFilter(filter, name);
}

function valueOf(entries: Entries, name: string): string | undefined {
  return entries.find((entry) => entry.name === name)?.value ?? undefined;
}

function sizeWanted(source: Entries): number {
  return Number(valueOf(source, sizeKey) ?? messageBytesDefault) + stampBytes;
}

/** Settings of a remote topic that is to be made. */
export function remoteConfigs(
  source: Entries,
  known: ReadonlySet<string>,
  filter: NameFilter,
): Record<string, string> {
  const configs: Record<string, string> = {};
  for (const { name, value, isDefault, isSensitive } of source) {
    if (isDefault || isSensitive || value === null || !known.has(name)) continue;
    if (isFollowed(name, filter)) configs[name] = value;
  }
  configs[sizeKey] = String(sizeWanted(source));
  for (const [name, value] of Object.entries(forced)) if (known.has(name)) configs[name] = value;
  return configs;
}

/**
 * What must change at a remote topic that is there; null takes a setting away. A limit of sizes is
 * raised and never lowered: somebody may have had to raise it for records that are older than the
 * source's present limit.
 * @param filter false: settings are not followed, only what copying needs is seen to
 */
export function configChanges(
  source: Entries,
  target: Entries,
  filter: NameFilter | false,
): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  const there = new Map(target.map((entry) => [entry.name, entry]));
  const wanted: Record<string, string> = { ...forced };
  if (filter !== false) {
    const known: ReadonlySet<string> = new Set(there.keys());
    Object.assign(wanted, remoteConfigs(source, known, filter));
    if (Number(there.get(sizeKey)?.value ?? 0) >= sizeWanted(source)) {
      Reflect.deleteProperty(wanted, sizeKey);
    }
    const defaults = new Set(source.filter(({ isDefault }) => isDefault).map(({ name }) => name));
    for (const { name, isDefault } of target) {
      if (!isDefault && defaults.has(name) && isFollowed(name, filter)) changes[name] = null;
    }
  }
  for (const [name, value] of Object.entries(wanted)) {
    const entry = there.get(name);
    if (entry !== undefined && (entry.isDefault || entry.value !== value)) changes[name] = value;
  }
  return changes;
}

/** Why records may leave the copy before they leave the source; undefined when they do not. */
export function shorterRetention(source: Entries, target: Entries): string | undefined {
  if (!(valueOf(target, 'cleanup.policy') ?? 'delete').includes('delete')) return undefined;
  if (!(valueOf(source, 'cleanup.policy') ?? 'delete').includes('delete')) {
    return 'deletes what is old, the source keeps the last record of every key';
  }
  for (const name of ['retention.ms', 'retention.bytes']) {
    const here = valueOf(target, name) ?? '-1';
    const there = valueOf(source, name) ?? '-1';
    const isShorter = Number(here) >= 0 && (Number(there) < 0 || Number(here) < Number(there));
    if (isShorter) return `${name} is ${here}, at the source ${there}: records leave it earlier`;
  }
  return undefined;
}
