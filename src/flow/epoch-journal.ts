/**
 * Which leaders wrote what was read of each source partition, kept in `__causeway-offset-maps`
 * under keys of its own: a log that was truncated while nobody looked is told from one that grew.
 *
 * Invariant: an epoch is stored before anything read in it is written. Keys of one epoch say the
 * same whoever writes them, so what an older holder writes late does no harm.
 */
import { MeshError } from '../base/errors.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { CopyKey } from './copy-journal.ts';
import { EpochChain, type EpochStart } from './epoch-chain.ts';

const prefix = 'epoch/1/';
/**
 * The newest, since a log is compared from there on; and the first, which tells what was committed
 * in an earlier life.
 */
const epochsKept = 16;

export class EpochJournal {
  /** By the key up to the generation, then by epoch: the first offset. */
  readonly #epochs = new Map<string, Map<number, number>>();
  readonly #append: (records: readonly StateRecord[]) => Promise<void>;

  constructor(append: (records: readonly StateRecord[]) => Promise<void>) {
    this.#append = append;
  }

  chain(key: CopyKey, generation: number): EpochChain {
    const known = this.#epochs.get(placeOf(key, generation)) ?? [];
    return new EpochChain([...known].map(([epoch, from]) => ({ epoch, from })));
  }

  /** Resolves when stored: only then may what was read in those epochs be written. */
  async put(key: CopyKey, generation: number, starts: readonly EpochStart[]): Promise<void> {
    if (starts.length === 0) return;
    const place = placeOf(key, generation);
    const known = this.#knownOf(place);
    const newest = [...known.keys(), ...starts.map(({ epoch }) => epoch)].sort((a, b) => b - a);
    const forgotten = newest.slice(epochsKept - 1, -1).filter((epoch) => known.has(epoch));
    await this.#append([
      ...starts.map(({ epoch, from }) => stateRecord(place, epoch, String(from))),
      ...forgotten.map((epoch) => stateRecord(place, epoch, null)),
    ]);
    for (const { epoch, from } of starts) known.set(epoch, from);
    for (const epoch of forgotten) known.delete(epoch);
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const key = record.key.toString('utf8');
    if (!key.startsWith(prefix)) return false;
    const at = key.lastIndexOf('/') + 1;
    const epoch = Number(key.slice(at));
    const known = this.#knownOf(key.slice(0, at));
    if (record.value === null) {
      known.delete(epoch);
      return true;
    }
    const from = Number(record.value.toString('utf8'));
    if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(from)) {
      const text = `record ${key}: not the start of a leader epoch`;
      throw new MeshError('state_corrupt', text, { details: { key } });
    }
    known.set(epoch, from);
    return true;
  }

  #knownOf(place: string): Map<number, number> {
    let known = this.#epochs.get(place);
    if (known === undefined) {
      known = new Map();
      this.#epochs.set(place, known);
    }
    return known;
  }
}

/** `epoch/1/<flow>/<topic>/<partition>/<generation>/`, to be followed by the epoch. */
function placeOf({ flow, topic, partition }: CopyKey, generation: number): string {
  return `${prefix}${flow}/${topic}/${partition}/${generation}/`;
}

function stateRecord(place: string, epoch: number, value: string | null): StateRecord {
  return {
    key: Buffer.from(`${place}${epoch}`),
    value: value === null ? null : Buffer.from(value),
  };
}
