/**
 * One `<site>.checkpoints.internal`: follows what is in it, writes what should be and is not, and
 * keeps it short, because its readers read all of it.
 *
 * Invariants: what others write there (an agent that was frozen and woke) is seen and set right in
 * the next round; a record is deleted only when a later one of the same key stands in the log, so
 * that a late deletion, too, takes nothing away.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Moment } from '../base/moment.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../kafka/state-records.ts';
import {
  checkpointKey,
  checkpointValue,
  isWithdrawn,
  readCheckpointKey,
  withdrawn,
  type Checkpoint,
  type CheckpointKey,
} from './format.ts';

interface Entry {
  readonly key: CheckpointKey;
  /** The value that should stand there; null: none; undefined: nothing is known of the group. */
  wanted: string | null | undefined;
  /** What was last read there, and where; undefined: nothing that holds. */
  there: string | undefined;
  offset: number;
}

export interface CheckpointTopicOptions {
  readonly log: StateLog;
  readonly deleteBefore: (offset: bigint) => Promise<void>;
  /** How long readers that have begun may take before what they read may be deleted. */
  readonly readersMs?: number;
  /** Records that no longer count and may stay. */
  readonly deadRecordsMax?: number;
}

const defaultReadersMs = 30_000;
const defaultDeadRecordsMax = 10_000;

export class CheckpointTopic {
  readonly #options: CheckpointTopicOptions;
  readonly #deps: Deps;
  /** By group, then by `topic/partition`. */
  readonly #groups = new Map<string, Map<string, Entry>>();
  readonly #differing = new Set<Entry>();
  readonly #synced = new Moment();
  /** First offset of the log, and the one behind the last that was read. */
  #start: number | undefined;
  #next = 0;
  #live = 0;
  #withdrawnAt = -1;
  /** Everything that holds is being written again from this offset on. */
  #rewrittenFrom: number | undefined;
  #deletion: { readonly before: number; readonly dueMs: number } | undefined;
  #restUntilMs = -Infinity;

  constructor(options: CheckpointTopicOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Resolves when all that stood there at the start has been read. */
  async synced(): Promise<void> {
    await this.#synced.come;
  }

  async run(signal: AbortSignal): Promise<void> {
    const onRecords = (records: readonly FollowedRecord[]): void => {
      for (const record of records) this.#load(record);
    };
    await this.#options.log.follow({ onRecords, onSynced: () => this.#synced.tell() }, signal);
  }

  /** All checkpoints that the group should have; others of it are withdrawn. */
  want(group: string, checkpoints: readonly Checkpoint[]): void {
    const entries = this.#entries(group);
    const named = new Set<Entry>();
    for (const checkpoint of checkpoints) {
      const entry = this.#entry(entries, checkpoint);
      named.add(entry);
      this.#set(entry, checkpointValue(checkpoint).toString('latin1'));
    }
    for (const entry of [...entries.values()]) {
      if (named.has(entry)) continue;
      this.#set(entry, null);
      if (isNothing(entry)) this.#drop(entries, entry);
    }
    if (entries.size === 0) this.#groups.delete(group);
  }

  /** Appends what is not there as it should be. */
  async write(): Promise<void> {
    const some = [...this.#differing];
    if (some.length === 0) return;
    this.#differing.clear();
    try {
      await this.#options.log.append(some.map((entry) => recordOf(entry, entry.wanted)));
    } catch (error) {
      for (const entry of some) this.#compare(entry);
      throw error;
    }
  }

  /**
   * A step, when one is due, of making the log short again: what holds is written once more; when
   * it has come round, and readers have had their time, what stands before it is deleted.
   */
  async tidy(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (this.#deletion !== undefined) {
      if (nowMs >= this.#deletion.dueMs) await this.#delete(this.#deletion.before, nowMs);
    } else if (this.#rewrittenFrom !== undefined) {
      const before = Math.min(this.#next, this.#oldest());
      if (before < this.#rewrittenFrom) return;
      this.#rewrittenFrom = undefined;
      const dueMs = nowMs + (this.#options.readersMs ?? defaultReadersMs);
      this.#deletion = { before, dueMs };
    } else if (this.#isLong() && nowMs >= this.#restUntilMs) {
      const from = this.#next;
      const records = [...this.#all()].flatMap((entry) =>
        entry.there === undefined || entry.wanted === null
          ? []
          : [recordOf(entry, entry.wanted ?? entry.there)],
      );
      await this.#options.log.append(records);
      this.#rewrittenFrom = from;
    }
  }

  async #delete(before: number, nowMs: number): Promise<void> {
    this.#deletion = undefined;
    // A large topic that changes all the time is not written anew all the time.
    this.#restUntilMs = nowMs + this.#live;
    try {
      await this.#options.deleteBefore(BigInt(before));
      this.#start = before;
    } catch (error) {
      if (!isMeshError(error) || error.retriable) throw error;
      this.#restUntilMs = Infinity;
      const { topic } = this.#options.log;
      this.#deps.log.warn({ topic, why: errorMessage(error) }, 'checkpoints cannot be tidied');
    }
  }

  #isLong(): boolean {
    const start = this.#start ?? this.#next;
    const deadMax = Math.max(this.#options.deadRecordsMax ?? defaultDeadRecordsMax, 4 * this.#live);
    return this.#withdrawnAt >= start || this.#next - start - this.#live > deadMax;
  }

  /** Where the oldest record is that holds. */
  #oldest(): number {
    let oldest = Infinity;
    for (const { there, offset } of this.#all()) {
      if (there !== undefined && offset < oldest) oldest = offset;
    }
    return oldest;
  }

  *#all(): Iterable<Entry> {
    for (const entries of this.#groups.values()) yield* entries.values();
  }

  #load({ key, value, offset }: FollowedRecord): void {
    const at = Number(offset);
    if (at < this.#next) this.#forget();
    this.#start ??= at;
    this.#next = at + 1;
    const known = readCheckpointKey(key);
    if (known === undefined) return;
    const entries = this.#entries(known.group);
    const entry = this.#entry(entries, known);
    const text = isWithdrawn(value) ? undefined : value?.toString('latin1');
    this.#live += (text === undefined ? 0 : 1) - (entry.there === undefined ? 0 : 1);
    // The same text is kept once.
    entry.there = text === entry.wanted ? entry.wanted : text;
    entry.offset = at;
    if (text === undefined) this.#withdrawnAt = at;
    this.#compare(entry);
    if (isNothing(entry)) this.#drop(entries, entry);
  }

  /** The topic was made anew: nothing of what stood there does. */
  #forget(): void {
    this.#start = undefined;
    this.#live = 0;
    this.#withdrawnAt = -1;
    this.#rewrittenFrom = undefined;
    this.#deletion = undefined;
    for (const entry of this.#all()) {
      entry.there = undefined;
      this.#compare(entry);
    }
  }

  #set(entry: Entry, wanted: string | null): void {
    if (entry.wanted === wanted) return;
    entry.wanted = wanted !== null && wanted === entry.there ? entry.there : wanted;
    this.#compare(entry);
  }

  #compare(entry: Entry): void {
    const { wanted, there } = entry;
    if (wanted === undefined || (wanted ?? undefined) === there) this.#differing.delete(entry);
    else this.#differing.add(entry);
  }

  #entries(group: string): Map<string, Entry> {
    const known = this.#groups.get(group);
    if (known !== undefined) return known;
    const entries = new Map<string, Entry>();
    this.#groups.set(group, entries);
    return entries;
  }

  #entry(entries: Map<string, Entry>, { group, topic, partition }: CheckpointKey): Entry {
    const name = `${topic}/${partition}`;
    const known = entries.get(name);
    if (known !== undefined) return known;
    const key = { group, topic, partition };
    const entry: Entry = { key, wanted: undefined, there: undefined, offset: -1 };
    entries.set(name, entry);
    return entry;
  }

  #drop(entries: Map<string, Entry>, { key: { group, topic, partition } }: Entry): void {
    entries.delete(`${topic}/${partition}`);
    if (entries.size === 0) this.#groups.delete(group);
  }
}

/** Neither there nor wanted: not worth remembering. */
function isNothing({ wanted, there }: Entry): boolean {
  return there === undefined && (wanted ?? undefined) === undefined;
}

function recordOf({ key }: Entry, value: string | null | undefined): StateRecord {
  const isNone = value === null || value === undefined;
  return { key: checkpointKey(key), value: isNone ? withdrawn : Buffer.from(value, 'latin1') };
}
