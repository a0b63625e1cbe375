/**
 * Connections of a flow for its occasional reads (tails, maps): one a broker, opened when needed.
 */
import type { BrokerLink, Cluster } from '../kafka/cluster.ts';

export class LinkShelf implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #purpose: string;
  readonly #links = new Map<number, Promise<BrokerLink>>();

  constructor(cluster: Cluster, purpose: string) {
    this.#cluster = cluster;
    this.#purpose = purpose;
  }

  async get(brokerId: number): Promise<BrokerLink> {
    const known = this.#links.get(brokerId);
    if (known !== undefined) {
      const link = await known.catch(() => undefined);
      if (link?.isOpen === true) return link;
      if (this.#links.get(brokerId) === known) this.#links.delete(brokerId);
      return this.get(brokerId);
    }
    const opening = this.#cluster.openLink(brokerId, this.#purpose);
    this.#links.set(brokerId, opening);
    try {
      return await opening;
    } catch (error) {
      if (this.#links.get(brokerId) === opening) this.#links.delete(brokerId);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const opening of links) {
      const link = await opening.catch(() => undefined);
      await link?.[Symbol.asyncDispose]();
    }
  }
}
