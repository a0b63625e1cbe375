/**
 * What groups have committed, as `__consumer_offsets` tells it: the log replayed as the group
 * coordinators themselves replay it, one table per partition of the log.
 *
 * Offsets of a transaction count from its commit marker on, at the place where they stand in the
 * log: what was committed behind them without a transaction, before the marker, stays. They are
 * held per producer, so that a transaction that stays open holds back nobody else.
 *
 * Invariant: a group that has a commit we cannot read is one of `asked`, and its positions are not
 * taken from here.
 */
import type { DecodedBatch } from '../records/decode-records.ts';
import { isCommitMarker, readOffsetsRecord, type OffsetCommit } from '../kafka/offsets-record.ts';

export interface Commit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** By the clock of the broker that took it. */
  readonly committedAtMs: number;
  /** Where the commit stands in the log. */
  readonly at: number;
}

interface HeldCommit {
  readonly group: string;
  readonly key: string;
  readonly commit: Commit;
}

/** Commits of transactions that are held until their marker, over all partitions of the log. */
const heldMax = 200_000;
const namesMax = 500_000;

class Part {
  readonly groups = new Map<string, Map<string, Commit>>();
  readonly held = new Map<bigint, Map<string, HeldCommit>>();
  /** By group: keys of commits, changed since they were last taken. */
  changed = new Map<string, Set<string>>();
}

export class CommitTable {
  readonly #logName: string;
  readonly #onUnreadable: (group: string, found: string) => void;
  readonly #heldMax: number;
  readonly #parts = new Map<number, Part>();
  /** By group: what could not be read, until something readable takes its place. */
  readonly #asked = new Map<string, Set<string>>();
  /** The same few names, thousands of times. */
  readonly #names = new Map<string, string>();
  #heldCount = 0;
  #unreadableCount = 0;

  constructor(
    logName: string,
    onUnreadable: (group: string, found: string) => void,
    options: { readonly heldMax?: number } = {},
  ) {
    this.#logName = logName;
    this.#onUnreadable = onUnreadable;
    this.#heldMax = options.heldMax ?? heldMax;
  }

  /** Groups whose positions have to be asked for. */
  asked(): readonly string[] {
    return [...this.#asked.keys()];
  }

  isAsked(group: string): boolean {
    return this.#asked.has(group);
  }

  get unreadableCount(): number {
    return this.#unreadableCount;
  }

  get heldCount(): number {
    return this.#heldCount;
  }

  get groupCount(): number {
    return [...this.#parts.values()].reduce((sum, { groups }) => sum + groups.size, 0);
  }

  groups(logPartition: number): Iterable<string> {
    return this.#parts.get(logPartition)?.groups.keys() ?? [];
  }

  commits(logPartition: number, group: string): ReadonlyMap<string, Commit> {
    return this.#parts.get(logPartition)?.groups.get(group) ?? none;
  }

  /** Groups and the keys, `topic/partition`, of their commits that changed since the last call. */
  takeChanged(logPartition: number): ReadonlyMap<string, ReadonlySet<string>> {
    const part = this.#parts.get(logPartition);
    if (part === undefined || part.changed.size === 0) return none;
    const { changed } = part;
    part.changed = new Map();
    return changed;
  }

  /** The log of that partition is going to be read from its start. */
  clear(logPartition: number): void {
    const part = this.#parts.get(logPartition);
    if (part === undefined) return;
    for (const held of part.held.values()) this.#heldCount -= held.size;
    for (const group of part.groups.keys()) this.#asked.delete(group);
    this.#parts.delete(logPartition);
  }

  /** @throws MeshError batch_corrupt when a record is none of this log */
  apply(logPartition: number, batch: DecodedBatch): void {
    let part = this.#parts.get(logPartition);
    if (part === undefined) {
      part = new Part();
      this.#parts.set(logPartition, part);
    }
    if (batch.isControl) {
      for (const { key, producerId } of batch.records) {
        this.#endTransaction(part, producerId, isCommitMarker(key));
      }
      return;
    }
    for (const { key, value, offset } of batch.records) {
      const record = readOffsetsRecord(key, value, `${this.#logName}/${logPartition}@${offset}`);
      if (record.kind === 'other') continue;
      const { group, topic, partition } = record;
      const name = this.#key(topic, partition);
      if (record.kind === 'unreadable') {
        this.#ask(part, group, name, record.found);
      } else if (record.kind === 'deleted') {
        this.#delete(part, group, name, batch);
      } else {
        const commit = this.#commit(record, offset);
        if (batch.isTransactional) this.#hold(part, batch.producerId, { group, key: name, commit });
        else this.#set(part, group, name, commit);
      }
    }
  }

  #endTransaction(part: Part, producerId: bigint, isCommitted: boolean): void {
    const held = part.held.get(producerId);
    if (held === undefined) return;
    part.held.delete(producerId);
    this.#heldCount -= held.size;
    if (!isCommitted) return;
    for (const { group, key, commit } of held.values()) {
      const known = part.groups.get(group)?.get(key);
      if (known === undefined || known.at < commit.at) this.#set(part, group, key, commit);
    }
  }

  #hold(part: Part, producerId: bigint, one: HeldCommit): void {
    let held = part.held.get(producerId);
    if (held === undefined) {
      held = new Map();
      part.held.set(producerId, held);
    }
    const name = `${one.group}\n${one.key}`;
    if (!held.has(name)) {
      if (this.#heldCount >= this.#heldMax) {
        const found = `more than ${this.#heldMax} offsets in open transactions`;
        this.#ask(part, one.group, one.key, found);
        return;
      }
      this.#heldCount += 1;
    }
    held.set(name, one);
  }

  #set(part: Part, group: string, key: string, commit: Commit): void {
    let commits = part.groups.get(group);
    if (commits === undefined) {
      commits = new Map();
      part.groups.set(group, commits);
    }
    commits.set(key, commit);
    this.#change(part, group, key);
  }

  /** A deleted commit also deletes what open transactions were going to put there. */
  #delete(part: Part, group: string, key: string, batch: DecodedBatch): void {
    const name = `${group}\n${key}`;
    for (const [producerId, held] of part.held) {
      if (batch.isTransactional && producerId !== batch.producerId) continue;
      if (held.delete(name)) this.#heldCount -= 1;
    }
    if (batch.isTransactional) return;
    const commits = part.groups.get(group);
    commits?.delete(key);
    if (commits?.size === 0) part.groups.delete(group);
    this.#change(part, group, key);
  }

  /** What is at that place from now on can be read. */
  #change(part: Part, group: string, key: string): void {
    const asked = this.#asked.get(group);
    if (asked !== undefined) {
      asked.delete(key);
      if (asked.size === 0) this.#asked.delete(group);
      // What was not told while it had to be asked for.
      for (const other of part.groups.get(group)?.keys() ?? [])
        this.#noteChange(part, group, other);
    }
    this.#noteChange(part, group, key);
  }

  #noteChange(part: Part, group: string, key: string): void {
    const keys = part.changed.get(group);
    if (keys === undefined) part.changed.set(group, new Set([key]));
    else keys.add(key);
  }

  #ask(part: Part, group: string, key: string, found: string): void {
    this.#unreadableCount += 1;
    const keys = this.#asked.get(group);
    if (keys === undefined) this.#asked.set(group, new Set([key]));
    else keys.add(key);
    // So that the group is known here, and dropped with its partition of the log.
    if (!part.groups.has(group)) part.groups.set(group, new Map());
    this.#noteChange(part, group, key);
    this.#onUnreadable(group, found);
  }

  #commit({ topic, kind: _, group: __, ...commit }: OffsetCommit, at: number): Commit {
    return { topic: this.#name(topic), ...commit, at };
  }

  #key(topic: string, partition: number): string {
    return this.#name(`${topic}/${partition}`);
  }

  #name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#names.size >= namesMax) this.#names.clear();
    this.#names.set(text, text);
    return text;
  }
}

const none: ReadonlyMap<string, never> = new Map<string, never>();

/** Which partition of `__consumer_offsets` holds a group: as Java's `String.hashCode` has it. */
export function logPartitionOf(group: string, partitionCount: number): number {
  let hash = 0;
  for (let index = 0; index < group.length; index += 1) {
    hash = (Math.imul(hash, 31) + group.charCodeAt(index)) | 0;
  }
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % partitionCount;
}
