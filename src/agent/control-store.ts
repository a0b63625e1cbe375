/**
 * What people and agents decided about flows, and must outlive a restart: kept in
 * `__causeway-controls`, followed by all agents of the site.
 *
 * Invariant: the order of the log is the order that counts, at every agent. What this process
 * writes takes effect when it comes round, and the call that wrote it resolves after that.
 */
import { withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, MeshError } from '../base/errors.ts';
import { Moment } from '../base/moment.ts';
import type { AclLedger } from '../flow/acl-sync.ts';
import type { FlowPlace, Override } from '../flow/overrides.ts';
import type { TopicAcl } from '../kafka/cluster.ts';
import type { FollowedRecord, StateLog } from '../kafka/state-records.ts';
import { OverrideBook, overrideKey } from './override-book.ts';
import { parseAcls } from './stored-acls.ts';

const aclPrefix = 'acls/1/';
const retryPrefix = 'retry/1/';
const roundTripMsMax = 15_000;

export class ControlStore {
  readonly #log: StateLog;
  readonly #deps: Deps;
  readonly #acls = new Map<string, readonly TopicAcl[]>();
  readonly overrides: OverrideBook;
  readonly #retryListeners = new Set<(flow: string) => void>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #synced = new Moment();

  constructor(log: StateLog, deps: Deps) {
    this.#log = log;
    this.#deps = deps;
    this.overrides = new OverrideBook(deps.clock);
  }

  /** Resolves when all that was stored at the start has been loaded. */
  async synced(): Promise<void> {
    await this.#synced.come;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#log.follow(
      {
        onRecords: (records) => this.#load(records),
        onSynced: () => this.#synced.tell(),
      },
      signal,
    );
    this.overrides.close();
  }

  /** Which ACLs of this site's Kafka were added by us. */
  readonly ledger: AclLedger = {
    get: (flow) => this.#acls.get(flow) ?? [],
    put: (flow, acls) => this.#put(`${aclPrefix}${flow}`, acls),
  };

  /** Resolves when it is stored and in force at this agent. */
  async putOverride(override: Override): Promise<void> {
    const place = override.kind === 'pause' ? override : wholeFlow(override.flow);
    await this.#put(overrideKey(override.kind, place), override);
  }

  async removeOverride(override: Override): Promise<void> {
    const place = override.kind === 'pause' ? override : wholeFlow(override.flow);
    await this.#put(overrideKey(override.kind, place), undefined);
  }

  /** Whether there is one or not. */
  async removeLimit(flow: string): Promise<void> {
    await this.#put(overrideKey('limit', wholeFlow(flow)), undefined);
  }

  /** All agents of the site try again what is paused in the flow. */
  async askRetry(
    flow: string,
    said: { readonly by: string; readonly atMs: number },
  ): Promise<void> {
    await this.#put(`${retryPrefix}${flow}`, said);
  }

  /** Told of each that is asked for, and of the last one when it is loaded at the start. */
  onRetry(listener: (flow: string) => void): () => void {
    this.#retryListeners.add(listener);
    return () => this.#retryListeners.delete(listener);
  }

  /** @param value undefined takes the record away */
  async #put(key: string, value: unknown): Promise<void> {
    const stored = value === undefined ? null : Buffer.from(JSON.stringify(value));
    const seen = new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting.add(resolve));
    });
    await this.#log.append([{ key: Buffer.from(key), value: stored }]);
    await withDeadline(this.#deps.clock, roundTripMsMax, seen, () => {
      const text = `${key} was stored in ${this.#log.topic} and has not been read back`;
      return new MeshError('kafka_timeout', text);
    });
  }

  #load(records: readonly FollowedRecord[]): void {
    for (const record of records) {
      const key = record.key.toString('utf8');
      try {
        this.#loadOne(key, record);
      } catch (error) {
        const facts = { topic: this.#log.topic, offset: Number(record.offset) };
        this.#deps.log.error(facts, errorMessage(error));
      }
      for (const resolve of this.#waiting.get(key) ?? []) resolve();
      this.#waiting.delete(key);
    }
  }

  #loadOne(key: string, { value }: FollowedRecord): void {
    if (this.overrides.load(key, value)) return;
    if (key.startsWith(retryPrefix)) {
      for (const listener of this.#retryListeners) listener(key.slice(retryPrefix.length));
      return;
    }
    if (!key.startsWith(aclPrefix)) return;
    const flow = key.slice(aclPrefix.length);
    if (value === null) this.#acls.delete(flow);
    else this.#acls.set(flow, parseAcls(key, value));
  }
}

function wholeFlow(flow: string): FlowPlace {
  return { flow, topic: undefined, partition: undefined };
}
