/**
 * How long one fetch waits at a broker for something new. What is new is answered at once, so a
 * long wait costs nothing in time, and asking for thousands of partitions twice a second costs
 * much. But a poll cannot be added to: who is not in it would have to wait for its end. So polls
 * are long only after nothing has come for a while, and one that somebody is not in is ended, by
 * its connection.
 */
import type { Clock } from '../base/clock.ts';
import type { BrokerLink } from '../kafka/cluster.ts';

/** Polls that brought nothing for their time, less those that did not have to wait so long. */
const emptyPollsUntilIdle = 10;
/** Not longer: what an idle source is known to end at should not be old. */
const idleWaitMs = 5_000;

export class IdlePoll {
  readonly #usualMs: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #emptyPolls = 0;
  #beganMs = 0;
  #long: BrokerLink | undefined;
  #isInterrupted = false;

  constructor(usualMs: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#usualMs = usualMs;
    this.#clock = clock;
  }

  /** A poll begins. Returns how long it is to wait, in ms. */
  begin(link: BrokerLink): number {
    this.#beganMs = this.#clock.monotonicMs();
    if (this.#emptyPolls < emptyPollsUntilIdle) return this.#usualMs;
    this.#long = link;
    return Math.max(this.#usualMs, idleWaitMs);
  }

  end(bytes: number): void {
    this.#long = undefined;
    this.#isInterrupted = false;
    // Something every few seconds, such as heartbeats, is no work either.
    const isRare = this.#clock.monotonicMs() - this.#beganMs >= this.#usualMs;
    const more = bytes === 0 ? 1 : isRare ? 0 : -1;
    this.#emptyPolls = Math.max(0, Math.min(emptyPollsUntilIdle, this.#emptyPolls + more));
  }

  /** Returns true when it failed because it was interrupted. */
  fail(): boolean {
    const isInterrupted = this.#isInterrupted;
    this.end(1);
    this.#emptyPolls = 0;
    return isInterrupted;
  }

  /** Ends a long poll: somebody is waiting who is not in it. */
  interrupt(): void {
    const long = this.#long;
    if (long === undefined) return;
    this.#long = undefined;
    this.#isInterrupted = true;
    void long[Symbol.asyncDispose]();
  }
}
