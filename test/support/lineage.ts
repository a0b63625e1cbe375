/**
 * One partition through the whole mesh: where each of its records stands in the log of every site.
 * Records are told by numbers that their writer put into them, counting up in the order of the log
 * they were born in: so what is true is found without stamps, and without any offset map.
 *
 * ```
 *   log A     [3]  [4]   .   [6]  [7]          the group stands before 6
 *   log B   [3]  (marker) [4] [5]  [6]  [7]    the truth: in (place of 5, place of 6]
 * ```
 */
export interface NumberedRecord {
  readonly offset: number;
  readonly id: number;
}

/** A log as it is now, without markers and aborted records. */
export interface LogReading {
  readonly start: number;
  readonly end: number;
  readonly records: readonly NumberedRecord[];
}

export interface Truth {
  /** Place of the last record that was read; -1: none of it is there. */
  readonly readUpTo: number;
  /** Place of the first one that was not: at or before it is not ahead. Else the log's end. */
  readonly next: number;
  /** That record; undefined: all that is there has been read. */
  readonly id: number | undefined;
}

export interface Verdict {
  /** A record that was not read would be skipped. */
  readonly isAhead: boolean;
  /** The next record to come is the first that was not read. */
  readonly isVery: boolean;
  /** Records that were read and would come again. */
  readonly again: number;
}

/** Ascending by id, and therefore by offset. */
interface Column {
  ids: number[];
  offsets: number[];
}

interface SiteLog {
  /** All that ever stood there, as far as it was seen. */
  known: Column;
  /** What stands there now. */
  held: Column;
  start: number;
  end: number;
}

export class Lineage {
  readonly origin: string;
  readonly topic: string;
  readonly partition: number;
  readonly #routes: Readonly<Record<string, string>>;
  readonly #logs = new Map<string, SiteLog>();

  /** @param routes of sites that it comes to over others, the aliases there: `west.east` */
  constructor(origin: string, topic: string, partition: number, routes = {}) {
    this.origin = origin;
    this.topic = topic;
    this.partition = partition;
    this.#routes = routes;
  }

  /** Its topic's name there. */
  nameAt(site: string): string {
    if (site === this.origin) return this.topic;
    return `${this.#routes[site] ?? this.origin}.${this.topic}`;
  }

  /**
   * Takes what stands in a log now; what stood there before stays known.
   * @throws Error when a record is there twice, out of order, or elsewhere than before
   */
  observe(site: string, { start, end, records }: LogReading): void {
    const held: Column = { ids: [], offsets: [] };
    for (const { id, offset } of records) {
      const last = held.ids.at(-1) ?? -1;
      const where = `${this.nameAt(site)}/${this.partition}@${offset} at ${site}`;
      if (id <= last) throw new Error(`${where}: record ${id} behind ${last}`);
      held.ids.push(id);
      held.offsets.push(offset);
    }
    const before = this.#logs.get(site);
    const known = before === undefined ? held : union(before.known, held);
    this.#logs.set(site, { known, held, start, end });
  }

  /** The log was made anew: its offsets begin again. */
  forget(site: string): void {
    this.#logs.delete(site);
  }

  log(site: string): { readonly start: number; readonly end: number; readonly ids: number[] } {
    const { start, end, held } = this.#log(site);
    return { start, end, ids: held.ids };
  }

  isHeld(site: string, id: number): boolean {
    const { ids } = this.#log(site).held;
    return ids[from(ids, id)] === id;
  }

  /** Where a record stands or stood. */
  placeOf(site: string, id: number): number | undefined {
    const { ids, offsets } = this.#log(site).known;
    const at = from(ids, id);
    return ids[at] === id ? offsets[at] : undefined;
  }

  /** The first record at or behind that offset, of those that ever stood there. */
  recordAt(site: string, offset: number): number | undefined {
    const { ids, offsets } = this.#log(site).known;
    return ids[from(offsets, offset)];
  }

  /** Offsets right behind those where something is missing: markers, aborted, compacted. */
  holes(site: string): number[] {
    const { offsets } = this.#log(site).held;
    return offsets.filter((offset, at) => at > 0 && offset !== offsets[at - 1]! + 1);
  }

  truth(source: string, target: string, offset: number): Truth {
    const there = this.#log(source).known;
    const { held, end } = this.#log(target);
    const at = from(there.offsets, offset);
    const unread = there.ids[at];
    const read = there.ids[at - 1] ?? -1;
    const next = from(held.ids, unread ?? read + 1);
    const before = from(held.ids, read + 1) - 1;
    return {
      readUpTo: held.offsets[before] ?? -1,
      next: held.offsets[next] ?? end,
      id: held.ids[next],
    };
  }

  judge(source: string, target: string, offset: number, answer: number): Verdict {
    const { readUpTo, next } = this.truth(source, target, offset);
    const { offsets } = this.#log(target).held;
    return {
      isAhead: answer > next,
      isVery: answer > readUpTo && answer <= next,
      again: Math.max(0, from(offsets, readUpTo + 1) - from(offsets, answer)),
    };
  }

  #log(site: string): SiteLog {
    const found = this.#logs.get(site);
    if (found !== undefined) return found;
    throw new Error(`${this.nameAt(site)}/${this.partition} at ${site} was never read`);
  }
}

/** Index of the first that is not below; the length when there is none. */
function from(sorted: readonly number[], wanted: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function union(one: Column, other: Column): Column {
  const all: Column = { ids: [], offsets: [] };
  let [at, of] = [0, 0];
  while (at < one.ids.length || of < other.ids.length) {
    const [left, right] = [one.ids[at] ?? Infinity, other.ids[of] ?? Infinity];
    const offset = left <= right ? one.offsets[at]! : other.offsets[of]!;
    if (left === right && offset !== other.offsets[of]) {
      throw new Error(`record ${left} was at ${offset}, and is at ${other.offsets[of]!}`);
    }
    if (offset <= (all.offsets.at(-1) ?? -1)) throw new Error(`two records at ${offset}`);
    all.ids.push(Math.min(left, right));
    all.offsets.push(offset);
    if (left <= right) at += 1;
    if (right <= left) of += 1;
  }
  return all;
}
