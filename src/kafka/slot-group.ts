/**
 * Sharing the slots of a flow among the agents of a site by Kafka's own group protocol: its
 * coordinator notices the dead, one of the members computes the shares. Slots only share out
 * work; the fence makes it safe that two agents may believe in the same slot for a moment.
 *
 * Invariant: `held` is emptied as soon as the session is lost, or could have been.
 */
import { isAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import { Scope } from '../base/scope.ts';
import { kafkaErrorName } from './codes.ts';
import { refusal } from './convert-error.ts';
import {
  heartbeatRequest,
  joinGroupRequest,
  leaveGroupRequest,
  syncGroupRequest,
  type JoinAnswer,
} from './requests/membership.ts';
import type { KafkaCluster } from './session.ts';
import { slotCount, type SlotShare } from './slots.ts';
import { assignSlots } from './sticky-assigner.ts';
import type { Wire } from './wire.ts';

export interface SlotGroupOptions {
  readonly cluster: KafkaCluster;
  /** `causeway.<mesh>.<flow>` */
  readonly group: string;
  readonly sessionTimeoutMs?: number;
}

const assignor = 'causeway-sticky';
const memberIdRequired = 79;
const leaveTimeoutMs = 1_000;
const rebalanceInProgress = 27;
const noSlots: ReadonlySet<number> = new Set();

export function openSlotShare(options: SlotGroupOptions, deps: Deps): SlotShare {
  return new SlotGroup(options, deps);
}

class SlotGroup implements SlotShare {
  readonly #options: SlotGroupOptions;
  readonly #deps: Deps;
  readonly #scope = new Scope();
  readonly #listeners = new Set<(held: ReadonlySet<number>) => void>();
  readonly #sessionTimeoutMs: number;
  #held: ReadonlySet<number> = noSlots;
  /** What it held before a session was lost: told when it joins again, so that it may keep it. */
  #remembered: readonly number[] = [];
  #memberId = '';
  #generation = -1;
  #wire: Wire | undefined;
  /** When the last question was asked that the group answered as one of its members. */
  #provedMs = -Infinity;

  constructor(options: SlotGroupOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
    this.#scope.run(this.#run(this.#scope.signal));
  }

  get held(): ReadonlySet<number> {
    return this.#held;
  }

  get isSure(): boolean {
    return this.#deps.clock.monotonicMs() - this.#provedMs < this.#sessionTimeoutMs;
  }

  onChange(listener: (held: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async confirm(slot: number): Promise<boolean> {
    const wire = this.#wire;
    if (wire === undefined || !this.#held.has(slot)) return false;
    const code = await wire.request(heartbeatRequest(this.#member()));
    return (code === 0 || code === rebalanceInProgress) && this.#held.has(slot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#deps;
    const { group } = this.#options;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 5_000 }, clock);
    // A join that waits for others must not hold up the end for long.
    const onAbort = (): void =>
      void clock.after(leaveTimeoutMs, () => void this.#wire?.[Symbol.asyncDispose]());
    signal.addEventListener('abort', onAbort, { once: true });
    while (!signal.aborted) {
      try {
        this.#wire = await this.#options.cluster.control.openCoordinatorWire(group);
        await this.#live(this.#wire, backoff, signal);
      } catch (error) {
        if (isAborted(signal) || isMeshError(error, 'aborted')) break;
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        log[level]({ group, why: errorMessage(error) }, 'slot group lost');
      }
      this.#lose();
      await this.#wire?.[Symbol.asyncDispose]();
      this.#wire = undefined;
      await backoff.wait(signal).catch(() => undefined);
    }
    await this.#leave();
  }

  /** A life on one connection: joins, then heartbeats until something ends it. */
  async #live(wire: Wire, backoff: Backoff, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#join(wire);
      backoff.reset();
      await this.#heartbeat(wire, signal);
    }
  }

  async #join(wire: Wire): Promise<void> {
    const { group } = this.#options;
    const mine = this.#held.size > 0 ? [...this.#held] : this.#remembered;
    const answer = await this.#joinOnce(wire, mine);
    if (answer.errorCode !== 0) {
      if (answer.errorCode === 25) this.#memberId = '';
      throw refusal(this.#options.cluster.name, `joining ${group}`, answer.errorCode);
    }
    this.#generation = answer.generation;
    const askedMs = this.#deps.clock.monotonicMs();
    const isLeader = answer.leader === answer.memberId;
    const request = syncGroupRequest(
      this.#member(),
      isLeader ? shares(answer) : [],
      this.#sessionTimeoutMs * 2,
    );
    const synced = await wire.request(request);
    if (synced.errorCode === rebalanceInProgress) return this.#join(wire);
    if (synced.errorCode !== 0) {
      throw refusal(this.#options.cluster.name, `joining ${group}`, synced.errorCode);
    }
    this.#provedMs = askedMs;
    this.#hold(new Set(readSlots(synced.assignment)));
  }

  async #joinOnce(wire: Wire, held: readonly number[]): Promise<JoinAnswer> {
    const ask = (): Promise<JoinAnswer> =>
      wire.request(
        joinGroupRequest({
          group: this.#options.group,
          memberId: this.#memberId,
          sessionTimeoutMs: this.#sessionTimeoutMs,
          rebalanceTimeoutMs: this.#sessionTimeoutMs,
          assignor,
          metadata: writeSlots(held),
        }),
      );
    const first = await ask();
    if (first.memberId !== '') this.#memberId = first.memberId;
    if (first.errorCode !== memberIdRequired) return first;
    const second = await ask();
    if (second.memberId !== '') this.#memberId = second.memberId;
    return second;
  }

  /** Resolves when the group wants to be joined again. */
  async #heartbeat(wire: Wire, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const intervalMs = this.#sessionTimeoutMs / 10;
    let provedMs = clock.monotonicMs();
    while (!signal.aborted) {
      await clock.sleep(intervalMs, signal);
      const askedMs = clock.monotonicMs();
      // Frozen for longer than a session: others hold our slots by now.
      if (askedMs - provedMs > this.#sessionTimeoutMs) this.#lose();
      const code = await this.#heartbeatOnce(wire, provedMs);
      if (code === 0) this.#provedMs = provedMs = askedMs;
      else if (code === rebalanceInProgress) return;
      else {
        if (code === 25) this.#memberId = '';
        this.#lose();
        throw new MeshError('kafka_unavailable', `heartbeat: ${kafkaErrorName(code)}`);
      }
    }
  }

  /**
   * The slots are lost once a session has passed without an answer, whatever the connection says.
   */
  async #heartbeatOnce(wire: Wire, provedMs: number): Promise<number> {
    const { clock } = this.#deps;
    const leftMs = this.#sessionTimeoutMs - (clock.monotonicMs() - provedMs);
    const cancel = clock.after(Math.max(0, leftMs), () => {
      this.#lose();
      void wire[Symbol.asyncDispose]();
    });
    try {
      return await wire.request(heartbeatRequest(this.#member()));
    } finally {
      cancel();
    }
  }

  async #leave(): Promise<void> {
    const wire = this.#wire;
    this.#wire = undefined;
    this.#lose();
    if (wire?.isOpen === true && this.#memberId !== '') {
      const left = wire.request(leaveGroupRequest(this.#options.group, this.#memberId));
      await Promise.race([left.catch(() => undefined), this.#deps.clock.sleep(leaveTimeoutMs)]);
    }
    await wire?.[Symbol.asyncDispose]();
  }

  #member(): { group: string; generation: number; memberId: string } {
    const { group } = this.#options;
    return { group, generation: this.#generation, memberId: this.#memberId };
  }

  #lose(): void {
    if (this.#held.size === 0) return;
    this.#remembered = [...this.#held];
    this.#hold(noSlots);
  }

  #hold(held: ReadonlySet<number>): void {
    const isSame = held.size === this.#held.size && [...held].every((slot) => this.#held.has(slot));
    this.#held = held;
    if (isSame) return;
    for (const listener of this.#listeners) listener(held);
  }
}

function shares(answer: JoinAnswer): { memberId: string; assignment: Buffer }[] {
  const members = answer.members.map(({ memberId, metadata }) => ({
    memberId,
    held: readSlots(metadata),
  }));
  return [...assignSlots(members, slotCount)].map(([memberId, slots]) => ({
    memberId,
    assignment: writeSlots(slots),
  }));
}

/** A byte a slot, behind the version of the format. */
const formatVersion = 1;

function writeSlots(slots: readonly number[]): Buffer {
  return Buffer.from([formatVersion, ...slots]);
}

function readSlots(bytes: Buffer): number[] {
  return bytes[0] === formatVersion ? [...bytes.subarray(1)] : [];
}
