/**
 * Which leaders wrote what of a source partition, as we read it: the first offset seen of each
 * leader epoch. Compared with a leader's own log it tells up to where that log is the one that we
 * read, as followers of Kafka find out where they differ (KIP-101, KIP-320).
 *
 * Invariant: an epoch is stored before anything read in it is written to the target; so the epoch
 * of the last record copied is always known, and never one of later records alone.
 */
import { batchAt, completeBatches, readOffset } from '../records/batch-header.ts';

export interface EpochStart {
  readonly epoch: number;
  /** First offset seen that was written in it. */
  readonly from: number;
}

export class EpochChain {
  /** Ascending in both. */
  readonly #starts: EpochStart[];

  constructor(starts: readonly EpochStart[]) {
    this.#starts = [...starts].sort((a, b) => a.epoch - b.epoch);
  }

  get starts(): readonly EpochStart[] {
    return this.#starts;
  }

  /** In which epoch the record before that offset was written; undefined: not known. */
  before(offset: number): number | undefined {
    return this.#starts.findLast(({ from }) => from < offset)?.epoch;
  }

  /** Where what was read in that epoch or lower ones ended; Infinity when it goes on. */
  endOf(epoch: number): number {
    return this.#starts.find((start) => start.epoch > epoch)?.from ?? Infinity;
  }

  /** The highest epoch known that is not above that one. */
  upTo(epoch: number): number | undefined {
    return this.#starts.findLast((start) => start.epoch <= epoch)?.epoch;
  }

  /** The epochs in these raw batches that were not known yet; they are from now on. */
  note(records: Buffer, position: number): EpochStart[] {
    const fresh: EpochStart[] = [];
    let last = this.#starts.at(-1)?.epoch ?? -1;
    for (const { from: at } of completeBatches(records)) {
      // Formats before v2 carry no epoch.
      if (records[at + batchAt.magic] !== 2) continue;
      const epoch = records.readInt32BE(at + batchAt.leaderEpoch);
      if (epoch <= last) continue;
      const start = { epoch, from: Math.max(position, readOffset(records, at)) };
      this.#starts.push(start);
      fresh.push(start);
      last = epoch;
    }
    return fresh;
  }
}

/** What a leader's log says: see `EpochEnd`. */
export interface EpochAnswer {
  readonly epoch: number;
  readonly end: number;
}

export interface LeaderLog {
  readonly ask: (epoch: number) => Promise<EpochAnswer>;
  /** Whether the log has any batch that touches [from, to). */
  readonly hasBatchIn: (from: number, to: number) => Promise<boolean>;
}

/**
 * The first offset below `position` from which on the leader's log is not the one that was read;
 * undefined when it is the same.
 */
export async function findDivergence(
  chain: EpochChain,
  position: number,
  log: LeaderLog,
): Promise<number | undefined> {
  let common = position;
  let isLater = false;
  for (let epoch = chain.before(position); epoch !== undefined;) {
    const { epoch: found, end } = await log.ask(epoch);
    if (found === epoch) {
      common = Math.min(common, end);
      break;
    }
    // It knows nothing of that epoch. What it has of lower ones is ours up to where ours end.
    const isNone = found < 0 || end < 0;
    const own = isNone ? startOf(chain, epoch) : chain.endOf(found);
    if (!isNone && end >= position) isLater = true;
    common = Math.min(common, own, isNone ? common : end);
    epoch = chain.upTo(isNone ? epoch - 1 : found);
  }
  if (common >= position) return undefined;
  // A log from which all records of the epoch were compacted away knows nothing of it either.
  if (isLater && !(await log.hasBatchIn(common, position))) return undefined;
  return common;
}

function startOf(chain: EpochChain, epoch: number): number {
  return chain.starts.find((start) => start.epoch === epoch)?.from ?? 0;
}
