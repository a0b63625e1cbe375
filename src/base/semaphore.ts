/** Bounds how much of one kind of work is under way; the rest waits its turn, in order. */
import { throwIfAborted } from './clock.ts';

export class Semaphore {
  readonly #permitsMax: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(permitsMax: number) {
    this.#permitsMax = permitsMax;
  }

  /** @throws MeshError aborted when the signal fires before its turn; else what the work throws. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#taken < this.#permitsMax) this.#taken += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      throwIfAborted(signal);
      return await work();
    } finally {
      // The permit passes to the next in line, or becomes free.
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }
}
