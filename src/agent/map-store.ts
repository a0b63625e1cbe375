/**
 * Offset maps, copy records and the pass lane's journal between memory and
 * `__causeway-offset-maps`: loads what is stored, follows what other agents of the site store,
 * stores what our flows and our peers tell.
 *
 * Invariant: a segment of ours is streamed to peers only after it is stored, and what could not be
 * stored is stored before anything later. What this process wrote itself is not loaded back when it
 * comes round: memory is newer. The journal forgets nothing before the maps that say the same are
 * stored.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import { Moment } from '../base/moment.ts';
import { CopyJournal } from '../flow/copy-journal.ts';
import { EpochJournal } from '../flow/epoch-journal.ts';
import { PassJournal } from '../flow/pass-journal.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../kafka/state-records.ts';
import type { MapBook } from '../offsets/map-book.ts';
import { openMapBook } from '../offsets/open-map-book.ts';
import type { StoredSegment } from '../offsets/run.ts';

const storeMs = 100;

export class MapStore {
  readonly book: MapBook = openMapBook();
  readonly journal: CopyJournal;
  readonly epochs: EpochJournal;
  readonly passes: PassJournal;
  readonly #log: StateLog;
  readonly #deps: Deps;
  /** What could not be stored. */
  #unstored: readonly StoredSegment[] = [];
  /** By key, how many records that this process wrote have not come round yet. */
  readonly #echoes = new Map<string, number>();
  readonly #listeners = new Set<(segments: readonly StoredSegment[]) => void>();
  readonly #synced = new Moment();

  constructor(log: StateLog, deps: Deps) {
    this.#log = log;
    this.#deps = deps;
    this.journal = new CopyJournal((records) => log.append(records));
    this.epochs = new EpochJournal((records) => log.append(records));
    this.passes = new PassJournal((records) => log.append(records), deps.clock);
  }

  /** Resolves when all that was stored at the start has been loaded. */
  async synced(): Promise<void> {
    await this.#synced.come;
  }

  /** Told of every segment that is stored: by us, by other agents of the site. */
  onStored(listener: (segments: readonly StoredSegment[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Runs until the signal fires; what changed until then is stored before it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const following = this.#log.follow(
      {
        onRecords: (records) => this.#load(records),
        onSynced: () => this.#synced.tell(),
      },
      signal,
    );
    await Promise.all([following, this.#storeLoop(signal)]);
  }

  /** Segments that a peer streamed: kept in memory and stored, to outlive the peer. */
  async take(segments: readonly StoredSegment[]): Promise<void> {
    await this.#append(segments.filter((segment) => this.#loadOne(segment, 'a peer')));
  }

  /** Stores what the flows changed since the last call. */
  async store(): Promise<void> {
    const retired = this.passes.takeRetired();
    await this.#append(this.book.takeChanged(), retired);
    this.passes.forget(retired);
  }

  /** @param besides stored with them; when that fails they are for the caller to give again */
  async #append(
    segments: readonly StoredSegment[],
    besides: readonly StateRecord[] = [],
  ): Promise<void> {
    const all = [...this.#unstored, ...segments];
    if (all.length + besides.length === 0) return;
    this.#unstored = [];
    for (const { key } of all) this.#expect(key, 1);
    try {
      await this.#log.append([...all, ...besides]);
    } catch (error) {
      for (const { key } of all) this.#expect(key, -1);
      this.#unstored = [...all, ...this.#unstored];
      throw error;
    }
    this.#tell(all);
  }

  /** So many more records with that key will come round; whether any was expected. */
  #expect(key: Buffer, more: number): boolean {
    const name = key.toString('latin1');
    const expected = this.#echoes.get(name) ?? 0;
    if (expected + more > 0) this.#echoes.set(name, expected + more);
    else this.#echoes.delete(name);
    return expected > 0;
  }

  async #storeLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(storeMs, signal).catch(() => undefined);
      try {
        await this.store();
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        this.#deps.log.warn({ why: errorMessage(error) }, 'offset maps not stored');
      }
    }
  }

  #load(records: readonly FollowedRecord[]): void {
    const fresh: StoredSegment[] = [];
    for (const record of records) {
      if (this.#expect(record.key, -1)) continue;
      try {
        if (this.#isOfJournals(record)) continue;
      } catch (error) {
        this.#warn(error, `offset ${record.offset}`);
        continue;
      }
      if (this.#loadOne(record, `offset ${record.offset}`)) fresh.push(record);
    }
    if (fresh.length > 0) this.#tell(fresh);
  }

  /** @throws MeshError state_corrupt */
  #isOfJournals(record: FollowedRecord): boolean {
    return this.journal.load(record) || this.epochs.load(record) || this.passes.load(record);
  }

  /** Whether it says anything new. */
  #loadOne(segment: StoredSegment, where: string): boolean {
    try {
      return this.book.load(segment);
    } catch (error) {
      this.#warn(error, where);
      return false;
    }
  }

  #warn(error: unknown, where: string): void {
    this.#deps.log.error({ topic: this.#log.topic, where }, errorMessage(error));
  }

  #tell(segments: readonly StoredSegment[]): void {
    for (const listener of this.#listeners) listener(segments);
  }
}
