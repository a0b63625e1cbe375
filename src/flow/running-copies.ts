/**
 * The partitions that are being copied here. A thousand of them begin or end a few a turn, so that
 * nothing else of the process waits long for its own turn.
 */
import { nextTurn } from '../base/clock.ts';
import type { PartitionCopy } from './partition-copy.ts';
import type { CopyTarget } from './status.ts';

const changesPerTurn = 32;

interface Running {
  readonly copy: PartitionCopy;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class RunningCopies {
  readonly #open: (id: CopyTarget) => PartitionCopy;
  readonly #running = new Map<string, Running>();
  #wanted: ReadonlyMap<string, CopyTarget> = new Map();
  /** Undefined when others run than before. */
  #list: readonly PartitionCopy[] | undefined;

  constructor(open: (id: CopyTarget) => PartitionCopy) {
    this.#open = open;
  }

  /** Those that run, with those that are about to end. */
  get all(): readonly PartitionCopy[] {
    this.#list ??= [...this.#running.values()].map(({ copy }) => copy);
    return this.#list;
  }

  /** False while something has not begun that is wanted, or not ended that is not. */
  get isAsWanted(): boolean {
    return this.#running.size === this.#wanted.size;
  }

  /**
   * Stops what runs and is not wanted, then starts what is wanted and does not run. What was asked
   * for later counts: an earlier call that is still under way leaves off.
   */
  async set(wanted: ReadonlyMap<string, CopyTarget>): Promise<void> {
    this.#wanted = wanted;
    const changes = [
      ...[...this.#running].flatMap(([key, { stop }]) =>
        wanted.has(key) ? [] : [() => stop.abort()],
      ),
      ...[...wanted].flatMap(([key, id]) =>
        this.#running.has(key) ? [] : [() => this.#start(key, id)],
      ),
    ];
    for (const [at, change] of changes.entries()) {
      if (at > 0 && at % changesPerTurn === 0) await nextTurn();
      if (this.#wanted !== wanted) return;
      change();
    }
  }

  /** Resolves when all that run now have ended. */
  async ended(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  #start(key: string, id: CopyTarget): void {
    const copy = this.#open(id);
    const stop = new AbortController();
    const done = copy.run(stop.signal).finally(() => {
      this.#running.delete(key);
      this.#list = undefined;
    });
    this.#running.set(key, { copy, stop, done });
    this.#list = undefined;
  }
}
