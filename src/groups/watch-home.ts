/**
 * What the members of one group follow: where it is at home, and whether a switchover waits for
 * them to leave. As it is, then whenever it changes; of changes that come close together the last.
 */
import { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';
import type { SiteName } from '../base/ids.ts';
import type { GroupHome, GroupMode } from './answer.ts';
import type { Ledger } from './ledger.ts';
import type { ResolvedMode } from './mode.ts';
import type { SwitchoverRequest, SwitchoverStep } from './updates.ts';

/** The two sites of a switchover that waits for the members at `from` to leave. */
export interface Leaving {
  readonly from: SiteName;
  readonly to: SiteName;
}

export interface HomeView {
  readonly group: string;
  readonly mode: GroupMode;
  readonly home: GroupHome | undefined;
  readonly leaving: Leaving | undefined;
}

export interface WatchHomeParts {
  readonly modeOf: (group: string) => ResolvedMode;
  readonly ledger: Pick<Ledger, 'onHome'>;
  readonly clock: Clock;
}

/** Modes come from the topology, and from where commits are seen: nobody tells of those. */
const lookMs = 1_000;

export class HomeTeller {
  readonly #parts: WatchHomeParts;
  /** By group: switchovers that this agent carries out now, the oldest first. */
  readonly #leaving = new Map<string, Leaving[]>();
  readonly #bells = new Set<Bell>();

  constructor(parts: WatchHomeParts) {
    this.#parts = parts;
  }

  /** Passes the steps of a switchover on; while it waits, members at the old home hear of it. */
  async *during(
    { group, from, to, execute }: SwitchoverRequest,
    steps: AsyncIterable<SwitchoverStep>,
  ): AsyncIterable<SwitchoverStep> {
    const leaving: Leaving = { from, to };
    try {
      for await (const step of steps) {
        // One that is refused asks nobody to leave.
        if (step.kind === 'waiting' && execute) this.#add(group, leaving);
        yield step;
      }
    } finally {
      this.#delete(group, leaving);
    }
  }

  async *watch(group: string, signal: AbortSignal): AsyncIterable<HomeView> {
    const bell = new Bell(this.#parts.clock);
    this.#bells.add(bell);
    const stopHomes = this.#parts.ledger.onHome(() => bell.ring());
    let told: string | undefined;
    try {
      while (!signal.aborted) {
        const view = this.#look(group);
        const { mode, home, leaving } = view;
        const text = JSON.stringify([mode, home?.site, home?.epoch, home?.state, leaving]);
        if (text !== told) yield view;
        told = text;
        await bell.sleep(lookMs, signal);
      }
    } finally {
      stopHomes();
      this.#bells.delete(bell);
    }
  }

  #add(group: string, leaving: Leaving): void {
    const known = this.#leaving.get(group) ?? [];
    if (known.includes(leaving)) return;
    this.#leaving.set(group, [...known, leaving]);
    for (const bell of this.#bells) bell.ring();
  }

  #delete(group: string, leaving: Leaving): void {
    const left = (this.#leaving.get(group) ?? []).filter((one) => one !== leaving);
    if (left.length === 0) this.#leaving.delete(group);
    else this.#leaving.set(group, left);
    for (const bell of this.#bells) bell.ring();
  }

  #look(group: string): HomeView {
    const { mode, home } = this.#parts.modeOf(group);
    return { group, mode, home, leaving: this.#leaving.get(group)?.[0] };
  }
}
