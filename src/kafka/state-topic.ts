/**
 * A compacted topic of ours with one partition, appended to and followed over raw batches.
 *
 * Appends are plain produces with acks from all, repeated in order until acknowledged: a record
 * that lands twice is harmless, because its key makes it replace itself. What is followed is
 * delivered in order, from the first record of the log on.
 */
import { isAborted, throwIfAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import { encodeBatch } from '../records/build-batch.ts';
import { decodeBatches } from '../records/decode-records.ts';
import type { BrokerLink, Cluster } from './cluster.ts';
import { isLeaderElsewhere } from './codes.ts';
import { refusal } from './convert-error.ts';
import type { FollowedRecord, StateLog, StateRecord } from './state-records.ts';

const partition = 0;
const appendBytesMax = 800_000;
const appendTimeoutMs = 15_000;
const fetchBytes = 4 * 1024 * 1024;
/** Something new is answered at once; only closing has to end a poll, and closes its connection. */
const usualWaitMs = 5_000;
const backoffOptions = { delayMsMin: 100, delayMsMax: 3_000 };

interface Queued {
  readonly records: readonly StateRecord[];
  resolve(): void;
  reject(error: unknown): void;
}

/** @param fetchWaitMs how long a broker that has nothing new may take to say so */
export function openStateLog(
  cluster: Cluster,
  topic: string,
  deps: Deps,
  fetchWaitMs = usualWaitMs,
): StateLog {
  return new StateTopic(cluster, topic, deps, fetchWaitMs);
}

class StateTopic implements StateLog {
  readonly topic: string;
  readonly #cluster: Cluster;
  readonly #deps: Deps;
  readonly #fetchWaitMs: number;
  readonly #closing = new AbortController();
  readonly #queue: Queued[] = [];
  #appending: Promise<void> | undefined;
  #link: BrokerLink | undefined;

  constructor(cluster: Cluster, topic: string, deps: Deps, fetchWaitMs: number) {
    this.#cluster = cluster;
    this.topic = topic;
    this.#deps = deps;
    this.#fetchWaitMs = fetchWaitMs;
  }

  async append(records: readonly StateRecord[]): Promise<void> {
    if (records.length === 0) return;
    throwIfAborted(this.#closing.signal);
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ records, resolve, reject });
      this.#appending ??= this.#drain().finally(() => {
        this.#appending = undefined;
      });
    });
  }

  async follow(
    listener: {
      readonly onRecords: (records: readonly FollowedRecord[]) => void;
      readonly onSynced: () => void;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const backoff = new Backoff(backoffOptions, this.#deps.clock);
    const state: FollowState = { offset: undefined, syncedAt: undefined, isSynced: false };
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    while (!stop.aborted) {
      try {
        await this.#followOnce(state, listener, backoff, stop);
      } catch (error) {
        if (isAborted(stop) || isMeshError(error, 'aborted')) return;
        if (isMeshError(error, 'batch_corrupt')) {
          throw new MeshError('state_corrupt', error.message, { cause: error });
        }
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        this.#deps.log[level](
          { topic: this.topic, why: errorMessage(error) },
          'state not followed',
        );
        await backoff.wait(stop).catch(() => undefined);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#dropLink();
    await this.#appending;
    // One that was being opened meanwhile.
    await this.#dropLink();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const taken = this.#takeQueued();
      try {
        const records = taken.flatMap((queued) => queued.records);
        for (const batch of this.#batches(records)) await this.#appendBatch(batch);
        for (const queued of taken) queued.resolve();
      } catch (error) {
        for (const queued of taken) queued.reject(error);
      }
    }
  }

  /** Everything that waits, up to one batch's worth and at least one call's. */
  #takeQueued(): Queued[] {
    const taken: Queued[] = [];
    let bytes = 0;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      bytes += next.records.reduce((sum, record) => sum + sizeOf(record), 0);
      if (taken.length > 0 && bytes > appendBytesMax) break;
      taken.push(next);
      this.#queue.shift();
    }
    return taken;
  }

  *#batches(records: readonly StateRecord[]): Iterable<Buffer> {
    const timestampMs = this.#deps.clock.nowMs();
    let some: StateRecord[] = [];
    let bytes = 0;
    const encode = (): Buffer => encodeBatch(some.map((one) => ({ ...one, timestampMs })));
    for (const record of records) {
      if (some.length > 0 && bytes + sizeOf(record) > appendBytesMax) {
        yield encode();
        some = [];
        bytes = 0;
      }
      some.push(record);
      bytes += sizeOf(record);
    }
    if (some.length > 0) yield encode();
  }

  async #appendBatch(batch: Buffer): Promise<void> {
    const { signal } = this.#closing;
    const backoff = new Backoff(backoffOptions, this.#deps.clock);
    for (;;) {
      throwIfAborted(signal);
      try {
        this.#link ??= await this.#open();
        const batches = [{ topic: this.topic, partition, batch }];
        const [answer] = await this.#link.produce({ batches, timeoutMs: appendTimeoutMs });
        if (answer?.errorCode === 0) return;
        const { errorCode = -1, errorMessage: text = 'no answer' } = answer ?? {};
        throw refusal(this.#cluster.name, `append to ${this.topic}`, errorCode, text);
      } catch (error) {
        await this.#dropLink();
        if (signal.aborted || !isTransient(error)) throw error;
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        this.#deps.log[level]({ topic: this.topic, why: errorMessage(error) }, 'state not stored');
        await backoff.wait(signal);
      }
    }
  }

  async #dropLink(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    await link?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<BrokerLink> {
    const metadata = await this.#cluster.metadata();
    const leader = metadata.topics.get(this.topic)?.partitions.at(partition)?.leader ?? -1;
    if (leader >= 0) return this.#cluster.openLink(leader, 'state');
    throw new MeshError(
      'kafka_unavailable',
      `${this.topic} at ${this.#cluster.name} has no leader just now`,
    );
  }

  async #followOnce(
    state: FollowState,
    listener: Parameters<StateLog['follow']>[0],
    backoff: Backoff,
    signal: AbortSignal,
  ): Promise<void> {
    const at = [{ topic: this.topic, partition }];
    state.offset ??= Number((await this.#listed(at, 'earliest')).offset);
    state.syncedAt ??= Number((await this.#listed(at, 'latest')).offset);
    await using link = await this.#open();
    const onAbort = (): void => void link[Symbol.asyncDispose]();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        if (!state.isSynced && state.offset >= state.syncedAt) {
          state.isSynced = true;
          listener.onSynced();
        }
        await this.#read(link, state, listener);
        backoff.reset();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #listed(
    at: Parameters<Cluster['listOffsets']>[0],
    spec: 'earliest' | 'latest',
  ): Promise<{ readonly offset: bigint }> {
    const [listed] = await this.#cluster.listOffsets(at, spec);
    if (listed?.errorCode === 0) return listed;
    const code = listed?.errorCode ?? -1;
    throw refusal(this.#cluster.name, `offsets of ${this.topic}`, code);
  }

  async #read(
    link: BrokerLink,
    state: FollowState,
    listener: Parameters<StateLog['follow']>[0],
  ): Promise<void> {
    const from = state.offset ?? 0;
    const response = await link.fetch({
      partitions: [{ topic: this.topic, partition, offset: BigInt(from), bytesMax: fetchBytes }],
      maxWaitMs: this.#fetchWaitMs,
      minBytes: 1,
      maxBytes: fetchBytes,
      isolation: 'read_uncommitted',
    });
    try {
      const found = response.partitions[0];
      if (found?.errorCode === 1) {
        // The log was made anew, or cut: what is in it now is read from its start.
        state.offset = undefined;
        throw new MeshError('kafka_unavailable', `${this.topic}: offset ${from} is gone`);
      }
      if (found?.errorCode !== 0) {
        throw refusal(this.#cluster.name, `following ${this.topic}`, found?.errorCode ?? -1);
      }
      const records = decode(found.records, this.topic, from);
      state.offset = records.next;
      if (records.found.length > 0) listener.onRecords(records.found);
    } finally {
      response.release();
    }
  }
}

interface FollowState {
  offset: number | undefined;
  syncedAt: number | undefined;
  isSynced: boolean;
}

function isTransient(error: unknown): boolean {
  if (!isMeshError(error)) return false;
  const { errorCode } = error.details;
  const isElsewhere = typeof errorCode === 'number' && isLeaderElsewhere(errorCode);
  // Too few replicas in sync is a state of the cluster that passes.
  return error.retriable || isElsewhere || errorCode === 19 || errorCode === 20;
}

function sizeOf({ key, value }: StateRecord): number {
  return key.length + (value?.length ?? 0) + 32;
}

function decode(
  bytes: Buffer,
  topic: string,
  from: number,
): { found: FollowedRecord[]; next: number } {
  const found: FollowedRecord[] = [];
  let next = from;
  for (const batch of decodeBatches(bytes, `${topic}/${partition}`)) {
    next = Math.max(next, batch.lastOffset + 1);
    if (batch.isControl) continue;
    for (const { offset, key, value, timestampMs } of batch.records) {
      if (offset < from || key === null) continue;
      // Copies: the response's memory is given back after the call.
      const copied = value === null ? null : Buffer.from(value);
      found.push({
        key: Buffer.from(key),
        value: copied,
        partition,
        offset: BigInt(offset),
        timestampMs,
      });
    }
  }
  return { found, next };
}
