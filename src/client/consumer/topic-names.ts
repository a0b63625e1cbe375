/**
 * Which topics of a site a selection means. It speaks of names at birth; at a site there are the
 * topic that was born there and a copy from each other site, `east.orders` or, over two hops,
 * `west.east.orders`.
 */
import { isSiteName } from '../../base/ids.ts';
import { isInternalTopic, topicChain } from '../../topology/names.ts';

export type TopicSelection = string | RegExp | readonly (string | RegExp)[];

export class TopicNames {
  readonly #wanted: readonly (string | RegExp)[];
  readonly #mesh: Parameters<typeof topicChain>[1];

  /** @param sites names of all sites whose copies count */
  constructor(selection: TopicSelection, sites: readonly string[]) {
    const isOne = typeof selection === 'string' || selection instanceof RegExp;
    this.#wanted = isOne ? [selection] : selection;
    // The names of sites are all that the chain of a topic is told by.
    this.#mesh = { sites: new Map(), retiredSites: sites.filter(isSiteName) };
  }

  isWanted(topic: string): boolean {
    if (isInternalTopic(topic, this.#mesh)) return false;
    const { localName } = topicChain(topic, this.#mesh);
    return this.#wanted.some((one) => {
      return typeof one === 'string' ? one === localName : localName.search(one) >= 0;
    });
  }

  /** Sorted. */
  among(topics: readonly string[]): string[] {
    return topics.filter((topic) => this.isWanted(topic)).sort();
  }

  /** How many copies it took to come here, and the name at birth. */
  born(topic: string): { readonly hops: number; readonly name: string } {
    const { chain, localName } = topicChain(topic, this.#mesh);
    return { hops: chain.length, name: localName };
  }
}
