/**
 * Long work in pieces, of many who have some: each waits for its turn before each piece. Those that
 * wait have it one after the other, and no more of them at once than fit into a few milliseconds:
 * between two such rows everything else that is due has its own turn.
 */
import { nextTurn, type Clock } from './clock.ts';

/** A row ends with the first piece that is done later. */
const rowMs = 5;

export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #waiting: (() => void)[] = [];
  #isRunning = false;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Resolves when a piece may be done: at once, without waiting for anything else. */
  take(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await nextTurn();
      const row = this.#waiting;
      this.#waiting = [];
      const endMs = this.#clock.monotonicMs() + rowMs;
      let done = 0;
      while (done < row.length && (done === 0 || this.#clock.monotonicMs() < endMs)) {
        row[done]?.();
        done += 1;
        await Promise.resolve(); // The piece is done meanwhile.
      }
      // Who has more to do comes after those who have not had their turn.
      this.#waiting = [...row.slice(done), ...this.#waiting];
    }
    this.#isRunning = false;
  }
}
