/**
 * Commits into groups that are at home elsewhere, of which it is not known that an agent wrote
 * them: held until everything has been heard that agents had written by then, then looked at again.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage } from '../base/errors.ts';

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
    const keys = this.#held.get(group);
    if (keys === undefined) this.#held.set(group, new Set([key]));
    else keys.add(key);
    if (!this.#isSettling) void this.#settleAll();
  }

  async #settleAll(): Promise<void> {
    this.#isSettling = true;
    while (this.#held.size > 0) {
      const some = [...this.#held];
      this.#held.clear();
      // What cannot be settled is taken for what it seems to be: the group's own.
      await this.#settle().catch((error: unknown) => {
        this.#deps.log.debug({ why: errorMessage(error) }, 'ledger not heard to its end');
      });
      for (const [group, keys] of some) this.#onSettled(group, keys);
    }
    this.#isSettling = false;
  }
}
