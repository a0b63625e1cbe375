/**
 * The pass lane of one tenure: batches go to the send window as soon as the journal says what they
 * are. A batch that goes on where the one before it ended is covered by what is stored; one behind
 * a hole waits until the journal has acknowledged the hole, together with all that comes in
 * meanwhile. So a topic without holes costs one record of the journal for each tenure, and one with
 * many holes no more than one for each round trip.
 *
 * Invariants: batches keep their order; none is sent before what speaks of it is stored.
 */
import { isMeshError, MeshError, errorMessage } from '../base/errors.ts';
import type { StampedBatch, StampedRun } from '../records/stamped-batch.ts';
import type { CopyKey } from './copy-journal.ts';
import type { PassRun } from './pass-form.ts';
import type { PassJournal } from './pass-journal.ts';
import { runRecordsMax } from './pass-tenure.ts';
import type { Producer, SendWindow } from './send-window.ts';

export interface PassLaneParts {
  readonly journal: PassJournal;
  readonly copy: CopyKey;
  readonly generation: number;
  readonly producer: Producer;
  readonly window: SendWindow;
  /** Batches may be sent that had to wait. */
  readonly onReleased: () => void;
  /** The journal cannot be kept. */
  readonly onTrouble: (trouble: MeshError) => void;
}

/** Runs in one record of the journal: some 50 KB at the most. */
const windowRunsMax = 8_192;

export class PassLane {
  readonly #parts: PassLaneParts;
  /** Sequence of the next record pushed, not begun again at 2^31. */
  #sequence = 0;
  #acknowledged = 0;
  #run: PassRun | undefined;
  /** Runs to be stored, and the batches that wait for them. */
  #unstored: PassRun[] = [];
  #waiting = 0;
  /** Batches that may go once what is being stored is stored. */
  #waitingForPut = 0;
  #isStoring = false;
  /** First sequences of the windows stored, from the oldest that is not retired on. */
  #windows: { readonly number: number; readonly sequence: number }[] = [];
  #nextNumber = 0;

  /** Tenures that are over. */
  readonly #former: readonly Producer[];

  /** To be made behind the fence, before anything is pushed. */
  constructor(parts: PassLaneParts) {
    this.#parts = parts;
    this.#former = parts.journal.tenures(parts.copy);
  }

  push(batch: StampedBatch): void {
    const { window } = this.#parts;
    for (const run of batch.runs) this.#note(run);
    this.#sequence += batch.recordCount;
    if (this.#unstored.length > 0) this.#waiting += 1;
    else if (this.#isStoring) this.#waitingForPut += 1;
    window.push(batch, this.#unstored.length > 0 || this.#isStoring);
    if (this.#unstored.length > 0 && !this.#isStoring) void this.#store();
  }

  /** Its runs are in the map: windows that speak only of what is acknowledged are superseded. */
  acknowledged(batch: StampedBatch): void {
    const { journal, copy, producer } = this.#parts;
    const isFirst = this.#acknowledged === 0;
    this.#acknowledged += batch.recordCount;
    // From here on this tenure's are the newest copies in the log, whatever came before; not those
    // of one that came later, of which an acknowledgement that was held up knows nothing.
    if (isFirst) journal.retireAll(copy, this.#former);
    let oldest = 0;
    // The window that speaks of the last record acknowledged is kept: it tells where the log ends.
    while ((this.#windows[oldest + 1]?.sequence ?? Infinity) < this.#acknowledged) oldest += 1;
    if (oldest === 0) return;
    this.#windows = this.#windows.slice(oldest);
    journal.retire(copy, producer, this.#windows[0]?.number ?? 0);
  }

  #note({ sourceOffset, index }: StampedRun): void {
    const sequence = this.#sequence + index;
    const run = this.#run;
    if (run !== undefined) {
      const isNext = sourceOffset - run.sourceOffset === sequence - run.sequence;
      if (isNext && sequence - run.sequence < runRecordsMax) return;
    }
    this.#run = { sequence, sourceOffset };
    this.#unstored.push(this.#run);
  }

  async #store(): Promise<void> {
    const { journal, copy, producer, generation, window, onReleased, onTrouble } = this.#parts;
    this.#isStoring = true;
    try {
      while (this.#unstored.length > 0 && !window.isBroken) {
        const runs = this.#unstored;
        this.#unstored = [];
        this.#waitingForPut = this.#waiting;
        this.#waiting = 0;
        for (let from = 0; from < runs.length; from += windowRunsMax) {
          const part = runs.slice(from, from + windowRunsMax);
          const number = this.#nextNumber;
          this.#nextNumber += 1;
          await journal.put({ copy, producer, number }, { generation, runs: part });
          this.#windows.push({ number, sequence: part[0]?.sequence ?? 0 });
        }
        window.release(this.#waitingForPut);
        this.#waitingForPut = 0;
        onReleased();
      }
    } catch (error) {
      onTrouble(isMeshError(error) ? error : new MeshError('defect', errorMessage(error)));
    } finally {
      this.#isStoring = false;
    }
  }
}
