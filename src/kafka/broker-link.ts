/**
 * Raw fetch and produce on one connection of its own. Batches are neither copied nor looked into.
 */
import type {
  BrokerLink,
  FetchRequest,
  FetchResponse,
  ProducedPartition,
  ProduceRequest,
} from './cluster.ts';
import {
  encodeFetchById,
  encodeFetchByName,
  fetchById,
  fetchByName,
  readFetchById,
  readFetchByName,
  topicIds,
} from './requests/fetch.ts';
import {
  encodeProduceById,
  encodeProduceByName,
  produceById,
  produceByName,
  readProduceById,
  readProduceByName,
} from './requests/produce.ts';
import type { Wire } from './wire.ts';

export class RawLink implements BrokerLink {
  readonly brokerId: number;
  readonly #wire: Wire;

  constructor(brokerId: number, wire: Wire) {
    this.brokerId = brokerId;
    this.#wire = wire;
  }

  get isOpen(): boolean {
    return this.#wire.isOpen;
  }

  async fetch(request: FetchRequest): Promise<FetchResponse> {
    const ids = this.#idsFor(fetchById, request.partitions);
    const api = { ...(ids === undefined ? fetchByName : fetchById), extraMs: request.maxWaitMs };
    const bytes = ids === undefined ? encodeFetchByName(request) : encodeFetchById(request, ids);
    const answer = await this.#wire.send(api, [bytes]);
    const release = (): void => answer.release();
    try {
      return ids === undefined
        ? readFetchByName(answer.body, release)
        : readFetchById(answer.body, ids, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  async produce(request: ProduceRequest): Promise<readonly ProducedPartition[]> {
    const ids = this.#idsFor(produceById, request.batches);
    const api = {
      ...(ids === undefined ? produceByName : produceById),
      extraMs: request.timeoutMs,
    };
    const parts =
      ids === undefined ? encodeProduceByName(request) : encodeProduceById(request, ids);
    const answer = await this.#wire.send(api, parts);
    try {
      return ids === undefined ? readProduceByName(answer.body) : readProduceById(answer.body, ids);
    } finally {
      answer.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wire[Symbol.asyncDispose]();
  }

  #idsFor(
    { apiKey, apiVersion }: { readonly apiKey: number; readonly apiVersion: number },
    partitions: Parameters<typeof topicIds>[0],
  ): ReadonlyMap<string, string> | undefined {
    return this.#wire.speaks(apiKey, apiVersion) ? topicIds(partitions) : undefined;
  }
}
