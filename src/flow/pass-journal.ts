/**
 * The journal of the pass lane: which source offset each record is that an agent of this site wrote
 * without a stamp. The batches in the target's log carry the producer's id, epoch and sequence; an
 * id with its epoch is one tenure of one holder, and within it the sequence counts records. So it
 * is enough to store where sequence and source offset do not step together: once for a topic
 * without holes, and before the first batch behind every hole.
 *
 * Invariants: what speaks of a batch is stored, acknowledged, before the batch is sent. A stored
 * fact never changes, and speaks of one tenure only: a late write by a holder that was fenced says
 * nothing about what others wrote. A window is forgotten only together with, and behind, the piece
 * of the offset map that says the same.
 */
import { abortedError, withDeadline, type Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { CopyKey } from './copy-journal.ts';
import {
  isPassKey,
  parsePassKey,
  parsePassValue,
  passKeyText,
  passValue,
  type PassKey,
  type PassWindow,
} from './pass-form.ts';
import { PassTenure, type PassedBatch } from './pass-tenure.ts';
import type { Producer } from './send-window.ts';

type Append = (records: readonly StateRecord[]) => Promise<void>;

const syncKey = 'sync/1/pass';
const syncMsMax = 30_000;

export class PassJournal {
  readonly #append: Append;
  readonly #clock: Clock;
  /** By partition, then by tenure. */
  readonly #copies = new Map<string, Map<string, PassTenure>>();
  readonly #retired = new Map<string, PassKey>();
  readonly #waiting = new Map<string, () => void>();

  constructor(append: Append, clock: Clock) {
    this.#append = append;
    this.#clock = clock;
  }

  /** True when anything is stored of that partition. */
  has(copy: CopyKey): boolean {
    return this.#copies.has(copyText(copy));
  }

  /** What a batch in the target's log is; undefined when nothing stored speaks of it. */
  find(
    copy: CopyKey,
    producer: Producer,
    batch: { readonly baseSequence: number; readonly recordCount: number },
  ): PassedBatch | undefined {
    return this.#copies.get(copyText(copy))?.get(tenureText(producer))?.find(batch);
  }

  /** Resolves when stored: only then may what it speaks of be written. */
  async put(key: PassKey, window: PassWindow): Promise<void> {
    await this.#append([{ key: Buffer.from(passKeyText(key)), value: passValue(window) }]);
    this.#remember(key, window);
  }

  /** Windows of a tenure below that number are in the map: to be forgotten. */
  retire(copy: CopyKey, producer: Producer, below: number): void {
    const tenure = this.#copies.get(copyText(copy))?.get(tenureText(producer));
    for (const number of tenure?.numbers() ?? []) {
      if (number < below) this.#retire({ copy, producer, number });
    }
  }

  /**
   * Tenures that something is stored of. Asked between a fence and the first batch behind it they
   * are all over: whoever comes later must fence this one first, and then it writes nothing.
   */
  tenures(copy: CopyKey): readonly Producer[] {
    const tenures = this.#copies.get(copyText(copy))?.values() ?? [];
    return [...tenures].map(({ producer }) => producer);
  }

  /** Of tenures that are over nothing is needed: copies of a later one are behind theirs. */
  retireAll(copy: CopyKey, tenures: readonly Producer[]): void {
    for (const producer of tenures) this.retire(copy, producer, Infinity);
  }

  /** Tombstones to be appended right behind the changes of the maps. */
  takeRetired(): readonly StateRecord[] {
    return [...this.#retired.keys()].map((key) => ({ key: Buffer.from(key), value: null }));
  }

  /** They are stored. */
  forget(tombstones: readonly StateRecord[]): void {
    for (const { key } of tombstones) {
      const text = key.toString('utf8');
      const retired = this.#retired.get(text);
      this.#retired.delete(text);
      if (retired !== undefined) this.#drop(retired);
    }
  }

  /**
   * Resolves when everything has been read that any agent had stored before: a mark is stored and
   * waited for.
   */
  async sync(signal: AbortSignal): Promise<void> {
    const mark = this.#clock.uniqueId();
    const giveUp = new AbortController();
    const seen = new Promise<void>((resolve, reject) => {
      this.#waiting.set(mark, resolve);
      const onAbort = (): void => reject(abortedError(signal));
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true, signal: giveUp.signal });
    });
    const done = Promise.all([
      this.#append([{ key: Buffer.from(syncKey), value: Buffer.from(mark) }]),
      seen,
    ]);
    try {
      await withDeadline(this.#clock, syncMsMax, done, () => {
        const text = `a mark in the state topic did not come back within ${syncMsMax / 1000} s`;
        return new MeshError('kafka_timeout', text);
      });
    } finally {
      giveUp.abort();
      this.#waiting.delete(mark);
    }
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const text = record.key.toString('utf8');
    if (text === syncKey) {
      this.#waiting.get(record.value?.toString('utf8') ?? '')?.();
      return true;
    }
    if (!isPassKey(text)) return false;
    const key = parsePassKey(text);
    if (record.value === null) this.#drop(key);
    else this.#remember(key, parsePassValue(text, record.value));
    return true;
  }

  #retire(key: PassKey): void {
    this.#retired.set(passKeyText(key), key);
  }

  #remember({ copy, producer, number }: PassKey, window: PassWindow): void {
    const place = copyText(copy);
    const tenures = this.#copies.get(place) ?? new Map<string, PassTenure>();
    this.#copies.set(place, tenures);
    const name = tenureText(producer);
    const tenure = tenures.get(name) ?? new PassTenure(producer);
    tenures.set(name, tenure);
    tenure.put(number, window);
  }

  #drop({ copy, producer, number }: PassKey): void {
    const place = copyText(copy);
    const tenures = this.#copies.get(place);
    const tenure = tenures?.get(tenureText(producer));
    if (tenures === undefined || tenure === undefined) return;
    tenure.remove(number);
    if (tenure.isEmpty) tenures.delete(tenureText(producer));
    if (tenures.size === 0) this.#copies.delete(place);
  }
}

function copyText({ flow, topic, partition }: CopyKey): string {
  return `${flow}/${topic}/${partition}`;
}

function tenureText({ producerId, producerEpoch }: Producer): string {
  return `${producerId}/${producerEpoch}`;
}
