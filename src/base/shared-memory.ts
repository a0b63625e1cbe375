/** Keeps memory; returns how to let go of it. */
export type Hold = () => () => void;

/** Memory with several holders: given back when the last of them lets go. */
export class SharedMemory {
  readonly #giveBack: () => void;
  #holders = 0;

  constructor(giveBack: () => void) {
    this.#giveBack = giveBack;
  }

  /** Returns how to let go. Safe to call more than once: only the first call counts. */
  hold(): () => void {
    this.#holders += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#giveBack();
    };
  }
}
