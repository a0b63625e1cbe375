/**
 * Who fetches which partition of one leading broker next. The first lane long-polls all that are
 * nearly at the source's end. Those that have more waiting there are shared out among the others,
 * so that several answers are under way at once: over a long link a single one would leave it empty
 * for a round trip each time.
 *
 * Invariant: a partition is in one request at a time.
 */

/** What is asked of a partition here. */
export interface Fetchable {
  /** More is at the source than was fetched, as of the last answer. */
  readonly hasMore: boolean;
}

export const bulkLanes = 3;

export class FetchLanes<T extends Fetchable> {
  readonly #isWanted: (copy: T) => boolean;
  readonly #copies = new Set<T>();
  readonly #bulk = new Set<T>();
  readonly #asked = new Set<T>();
  readonly #wakers = new Set<() => void>();
  #bulkAsking = 0;

  /** @param isWanted whether it may be fetched now */
  constructor(isWanted: (copy: T) => boolean) {
    this.#isWanted = isWanted;
  }

  add(copy: T): void {
    this.#copies.add(copy);
    this.wake();
  }

  delete(copy: T): void {
    this.#copies.delete(copy);
    this.#bulk.delete(copy);
  }

  /** All are assigned anew. */
  clear(): void {
    this.#copies.clear();
    this.#bulk.clear();
  }

  get isEmpty(): boolean {
    return this.#copies.size === 0;
  }

  /** True while partitions with more at the source are left to the other lanes. */
  get hasBulk(): boolean {
    return this.#bulk.size > 0;
  }

  /** True when the first lane would ask for more, had it the choice again. */
  get hasUnasked(): boolean {
    for (const copy of this.#copies) if (!this.#bulk.has(copy) && this.#isFree(copy)) return true;
    return false;
  }

  /**
   * What the first lane asks for now: all but what is left to others. To be given back.
   * @param isShared false: nothing is left to others
   */
  claimAll(isShared: boolean): readonly T[] {
    if (!isShared) this.#bulk.clear();
    return this.#claim([...this.#copies].filter((copy) => !this.#bulk.has(copy)));
  }

  /** What one of the other lanes asks for now: its share. To be given back. */
  claimBulk(): readonly T[] {
    const free = [...this.#bulk].filter((copy) => this.#isFree(copy));
    const share = Math.ceil(free.length / Math.max(1, bulkLanes - this.#bulkAsking));
    const claimed = this.#claim(free.slice(0, share));
    if (claimed.length > 0) this.#bulkAsking += 1;
    // At the end of the line: others have their turn first.
    for (const copy of claimed) {
      this.#bulk.delete(copy);
      this.#bulk.add(copy);
    }
    return claimed;
  }

  giveBack(claimed: readonly T[], isBulk: boolean): void {
    if (isBulk && claimed.length > 0) this.#bulkAsking -= 1;
    for (const copy of claimed) {
      this.#asked.delete(copy);
      if (copy.hasMore && this.#copies.has(copy)) this.#bulk.add(copy);
      else this.#bulk.delete(copy);
    }
    this.wake();
  }

  /** Those that sleep look again. */
  wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }

  /** Resolves when something may be to do, or on abort. */
  async sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #claim(copies: readonly T[]): readonly T[] {
    const claimed = copies.filter((copy) => this.#isFree(copy));
    for (const copy of claimed) this.#asked.add(copy);
    return claimed;
  }

  #isFree(copy: T): boolean {
    return !this.#asked.has(copy) && this.#isWanted(copy);
  }
}
