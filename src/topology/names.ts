/**
 * Names of topics across the mesh. A topic is remote when its name begins with the alias of a
 * declared or retired site and a dot; any other dot is just part of a name: `my.orders` is local.
 */
import { isSiteName, type SiteName } from '../base/ids.ts';
import { matchesPattern } from './filter.ts';
import type { NameFilter, Topology } from './model.ts';

export function remoteTopicName(site: SiteName, topic: string): string {
  return `${site}.${topic}`;
}

/** Sites that a topic's name leads back through, the last hop first, and the name at its birth. */
export interface TopicChain {
  readonly chain: readonly SiteName[];
  readonly localName: string;
}

type Sites = Pick<Topology, 'sites' | 'retiredSites'>;

export function topicChain(topic: string, topology: Sites): TopicChain {
  const chain: SiteName[] = [];
  let rest = topic;
  for (let dot = rest.indexOf('.'); dot > 0 && dot < rest.length - 1; dot = rest.indexOf('.')) {
    const alias = rest.slice(0, dot);
    if (!isSiteName(alias)) break;
    if (!topology.sites.has(alias) && !topology.retiredSites.includes(alias)) break;
    chain.push(alias);
    rest = rest.slice(dot + 1);
  }
  return { chain, localName: rest };
}

/** At every site, as MirrorMaker 2 names it; at the next site `<site>.heartbeats`, and so on. */
export const heartbeatsTopic = 'heartbeats';

/** Translated positions of that site's groups, as MirrorMaker 2 names the topic. Never carried. */
export function checkpointsTopic(site: SiteName): string {
  return `${site}.checkpoints.internal`;
}

const mm2Internal = /^mm2.*\.internal$|\.checkpoints\.internal$/;

/**
 * Topics that belong to Kafka, to Causeway or to MirrorMaker 2: never carried. Heartbeats are
 * carried, whatever the filters say, where agents write them.
 */
export function isInternalTopic(topic: string, topology: Sites): boolean {
  const { localName } = topicChain(topic, topology);
  if (localName.startsWith('__') || localName.startsWith('.')) return true;
  return mm2Internal.test(topic) || mm2Internal.test(localName);
}

interface OwnState {
  readonly what: string;
  readonly names: RegExp;
  /** What a pattern has to spell out to mean such topics. */
  readonly spelt: RegExp;
}

/** Topics in which a tool keeps its own state: of no use elsewhere, or harmful. */
const ownStates: readonly OwnState[] = [
  { what: 'Kafka Connect', names: /^connect-/, spelt: /connect/ },
  { what: 'Schema Registry', names: /^_schemas$/, spelt: /_schemas/ },
  { what: 'Kafka Streams', names: /-changelog$/, spelt: /changelog/ },
  { what: 'Kafka Streams', names: /-repartition$/, spelt: /repartition/ },
  {
    what: 'Kafka Streams',
    names: /-KTABLE-FK-JOIN-SUBSCRIPTION-(REGISTRATION|RESPONSE)-.*-topic$/,
    spelt: /SUBSCRIPTION/,
  },
];

/** Whose state it is, unless some pattern that matches it means just such topics. */
export function leftAlone(localName: string, filter: NameFilter): string | undefined {
  const found = ownStates.find(({ names }) => names.test(localName));
  if (found === undefined) return undefined;
  const isMeant = filter.include.some((pattern) => {
    return found.spelt.test(pattern) && matchesPattern(pattern, localName);
  });
  return isMeant ? undefined : found.what;
}
