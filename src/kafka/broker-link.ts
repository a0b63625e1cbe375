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
import { refusal } from './convert-error.ts';
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
import { FetchSession, noSession, type FetchAnswer } from './requests/fetch-session.ts';
import type { Wire } from './wire.ts';

/** By name; undefined where they are not known, or not understood. */
type TopicIds = ReturnType<typeof topicIds>;

export class RawLink implements BrokerLink {
  readonly brokerId: number;
  readonly #wire: Wire;
  readonly #session = new FetchSession();
  /** Topic ids of what the session was asked for last. */
  #polled: { readonly of: FetchRequest['partitions']; readonly ids: TopicIds } | undefined;

  constructor(brokerId: number, wire: Wire) {
    this.brokerId = brokerId;
    this.#wire = wire;
  }

  get isOpen(): boolean {
    return this.#wire.isOpen;
  }

  async fetch(request: FetchRequest): Promise<FetchResponse> {
    const ids = this.#idsToFetch(request);
    const api = { ...(ids === undefined ? fetchByName : fetchById), extraMs: request.maxWaitMs };
    if (ids === undefined) {
      const parts = [encodeFetchByName(request)];
      return this.#fetched(await this.#ask(api, parts, readFetchByName));
    }
    const session = request.onlyChanges === true ? this.#session : undefined;
    const ask = async (): Promise<FetchAnswer> => {
      const plan = session?.plan(request.partitions) ?? noSession(request.partitions);
      const parts = [encodeFetchById(request, plan)];
      return await this.#ask(api, parts, (body, release) => readFetchById(body, ids, release));
    };
    let answer = await ask();
    if (session?.took(answer) === false) {
      answer.release();
      answer = await ask();
      session.took(answer);
    }
    return this.#fetched(answer);
  }

  async #ask(
    api: Parameters<Wire['send']>[0],
    parts: readonly Buffer[],
    read: (body: Buffer, release: () => void) => FetchAnswer,
  ): Promise<FetchAnswer> {
    const answer = await this.#wire.send(api, parts);
    const release = (): void => answer.release();
    try {
      return read(answer.body, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #fetched(answer: FetchAnswer): FetchResponse {
    const { errorCode, partitions, throttleMs } = answer;
    if (errorCode !== 0) {
      answer.release();
      throw refusal(this.#wire.cluster, 'fetch', errorCode);
    }
    // A broker that throttles us says nothing, not that nothing changed.
    const areOthersUnchanged = throttleMs === 0 || partitions.length > 0;
    return { partitions, areOthersUnchanged, throttleMs, release: () => answer.release() };
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

  #idsToFetch({ partitions, onlyChanges }: FetchRequest): TopicIds {
    if (onlyChanges !== true) return this.#idsFor(fetchById, partitions);
    if (this.#polled?.of !== partitions) {
      this.#polled = { of: partitions, ids: this.#idsFor(fetchById, partitions) };
    }
    return this.#polled.ids;
  }

  #idsFor(
    { apiKey, apiVersion }: { readonly apiKey: number; readonly apiVersion: number },
    partitions: Parameters<typeof topicIds>[0],
  ): TopicIds {
    return this.#wire.speaks(apiKey, apiVersion) ? topicIds(partitions) : undefined;
  }
}
