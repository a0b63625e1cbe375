/**
 * How long one fetch waits at a broker for something new. What is new is answered at once, so a
 * long wait costs nothing in time, and asking for thousands of partitions twice a second costs
 * much. But a poll cannot be added to: who is not in it would have to wait for its end. So polls
 * are long only after nothing has come for a while, and one that somebody is not in is ended, by
 * its connection.
 */
import type { BrokerLink } from '../kafka/cluster.ts';
import type { PartitionCopy } from './partition-copy.ts';

const emptyPollsUntilIdle = 10;
/** Not longer: what an idle source is known to end at should not be old. */
const idleWaitMs = 5_000;

export class IdlePoll {
  readonly #usualMs: number;
  #emptyPolls = 0;
  #long: { readonly copies: ReadonlySet<PartitionCopy>; readonly link: BrokerLink } | undefined;
  #isInterrupted = false;

  constructor(usualMs: number) {
    this.#usualMs = usualMs;
  }

  /** A poll for these begins. Returns how long it is to wait, in ms. */
  begin(copies: readonly PartitionCopy[], link: BrokerLink): number {
    if (this.#emptyPolls < emptyPollsUntilIdle) return this.#usualMs;
    this.#long = { copies: new Set(copies), link };
    return Math.max(this.#usualMs, idleWaitMs);
  }

  end(bytes: number): void {
    this.#long = undefined;
    this.#isInterrupted = false;
    this.#emptyPolls = bytes === 0 ? this.#emptyPolls + 1 : 0;
  }

  /** Returns true when it failed because it was interrupted. */
  fail(): boolean {
    const isInterrupted = this.#isInterrupted;
    this.end(1);
    return isInterrupted;
  }

  /** Ends a long poll in which one of these that are wanted is not. */
  interruptFor(copies: Iterable<PartitionCopy>, isWanted: (copy: PartitionCopy) => boolean): void {
    const long = this.#long;
    if (long === undefined) return;
    for (const copy of copies) {
      if (long.copies.has(copy) || !isWanted(copy)) continue;
      this.#long = undefined;
      this.#isInterrupted = true;
      void long.link[Symbol.asyncDispose]();
      return;
    }
  }
}
