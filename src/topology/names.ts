/**
 * Names of topics across the mesh. A topic is remote when its name begins with the alias of a
 * declared or retired site and a dot; any other dot is just part of a name: `my.orders` is local.
 */
import { isSiteName, type SiteName } from '../base/ids.ts';
import type { Topology } from './model.ts';

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

const mm2Internal = /^mm2.*\.internal$|\.checkpoints\.internal$|^(.+\.)?heartbeats$/;

/** Topics that belong to Kafka, to Causeway or to MirrorMaker 2: never carried. */
export function isInternalTopic(topic: string, topology: Sites): boolean {
  const { localName } = topicChain(topic, topology);
  if (localName.startsWith('__') || localName.startsWith('.')) return true;
  return mm2Internal.test(topic) || mm2Internal.test(localName);
}
