/** A place that only moves on, and those who wait until it has come to theirs. */
import type { MeshError } from './errors.ts';

interface Waiter {
  readonly end: number;
  resolve(): void;
  reject(error: MeshError): void;
}

export class Reached {
  readonly #waiters = new Set<Waiter>();
  #at = -Infinity;

  get at(): number {
    return this.#at;
  }

  /** Where it is now; it is put back only by whoever begins anew. */
  moveTo(at: number): void {
    this.#at = at;
    for (const waiter of this.#waiters) {
      if (waiter.end > at) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  async reach(end: number): Promise<void> {
    if (this.#at >= end) return;
    await new Promise<void>((resolve, reject) => this.#waiters.add({ end, resolve, reject }));
  }

  /** It does not move any more. */
  fail(error: MeshError): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }
}
