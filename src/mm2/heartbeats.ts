/**
 * Heartbeats: one record for each other site, every five seconds, into `heartbeats` here, as
 * MirrorMaker 2's connectors do; flows carry them on. And how long those of other sites take until
 * they are here.
 */
import type { Deps } from '../base/deps.ts';
import type { SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import type { FollowedRecord, StateLog } from '../kafka/state-records.ts';
import { heartbeatRecord, readHeartbeatMs } from './format.ts';

/** MirrorMaker 2 writes one a second. Each wakes several idle connections on its way. */
const intervalMs = 5_000;

/** Writes until the signal fires; what cannot be written is told once and left out. */
export async function writeHeartbeats(
  options: { readonly site: SiteName; readonly others: () => readonly SiteName[] },
  log: StateLog,
  deps: Deps,
  signal: AbortSignal,
): Promise<void> {
  const { site, others } = options;
  const round = async (): Promise<void> => {
    const nowMs = deps.clock.nowMs();
    await log.append(others().map((other) => heartbeatRecord(other, site, nowMs)));
  };
  await rounds(round, { intervalMs, failed: 'heartbeats not written' }, deps, signal);
}

export interface HeartbeatReading {
  readonly from: SiteName;
  /** From its writing there until it could be read here; clocks of both sites are in it. */
  readonly latencySeconds: number;
  /** Since the last one was written. */
  readonly ageSeconds: number;
}

/** What is known of the heartbeats that come from one site. */
export class HeartbeatWatch {
  readonly #from: SiteName;
  readonly #log: StateLog;
  readonly #deps: Deps;
  #isSynced = false;
  #lastMs: number | undefined;
  #latencyMs: number | undefined;

  constructor(from: SiteName, log: StateLog, deps: Deps) {
    this.#from = from;
    this.#log = log;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const onSynced = (): void => void (this.#isSynced = true);
    await this.#log.follow({ onRecords: (records) => this.#take(records), onSynced }, signal);
  }

  /** undefined until one has come while it was watched. */
  reading(): HeartbeatReading | undefined {
    if (this.#lastMs === undefined || this.#latencyMs === undefined) return undefined;
    const ageMs = Math.max(0, this.#deps.clock.nowMs() - this.#lastMs);
    const latencySeconds = this.#latencyMs / 1000;
    return { from: this.#from, latencySeconds, ageSeconds: ageMs / 1000 };
  }

  #take(records: readonly FollowedRecord[]): void {
    const times = records.flatMap(({ value }) => readHeartbeatMs(value) ?? []);
    const lastMs = Math.max(...times);
    if (times.length === 0) return;
    this.#lastMs = lastMs;
    // What was there before says when it was written, not how long it took.
    if (this.#isSynced) this.#latencyMs = Math.max(0, this.#deps.clock.nowMs() - lastMs);
  }
}
