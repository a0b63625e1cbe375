/**
 * Commits into groups that are at home elsewhere, of which it is not known that an agent wrote
 * them: held until everything has been heard that agents had written by then, then looked at again.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage } from '../base/errors.ts';

const retryMs = 1_000;

export class Doubts {
  readonly #settle: () => Promise<void>;
  readonly #onSettled: (group: string, keys: ReadonlySet<string>) => void;
  readonly #deps: Deps;
  /** By group; a commit that comes again is one doubt. */
  readonly #held = new Map<string, Set<string>>();
  #isSettling = false;

  constructor(
    settle: () => Promise<void>,
    onSettled: (group: string, keys: ReadonlySet<string>) => void,
    deps: Deps,
  ) {
    this.#settle = settle;
    this.#onSettled = onSettled;
    this.#deps = deps;
  }

  add(group: string, key: string): void {
    this.#hold(group, [key]);
    if (!this.#isSettling) void this.#settleAll();
  }

  async #settleAll(): Promise<void> {
    this.#isSettling = true;
    while (this.#held.size > 0) {
      const some = [...this.#held];
      this.#held.clear();
      try {
        await this.#settle();
      } catch (error) {
        // It may be ours: it stays open whose it is until that can be told.
        this.#deps.log.debug({ why: errorMessage(error) }, 'ledger not heard to its end');
        for (const [group, keys] of some) this.#hold(group, keys);
        this.#deps.clock.after(retryMs, () => void this.#settleAll());
        return;
      }
      for (const [group, keys] of some) this.#onSettled(group, keys);
    }
    this.#isSettling = false;
  }

  #hold(group: string, keys: Iterable<string>): void {
    const held = this.#held.get(group) ?? new Set();
    for (const key of keys) held.add(key);
    this.#held.set(group, held);
  }
}
