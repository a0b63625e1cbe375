/**
 * Moves of groups, as they are asked for: one at a time of one group, each on what stands in the
 * ledger when its turn comes. So of two that ask at once the second finds what the first has done.
 */
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import type { FailoverPlan, FailoverReport } from './answer.ts';
import { executePlan, makePlan, type FailoverFacts, type MadePlan } from './failover.ts';
import { moveEvent, type GroupEvent } from './group-event.ts';
import type { GroupCluster } from './group-ports.ts';
import type { GroupView } from './group-view.ts';
import type { LateRecords } from './late-records.ts';
import type { Ledger } from './ledger.ts';
import type { PositionsStore } from './positions-store.ts';
import { atHome } from './stand-in.ts';
import { switchover, type SwitchoverParts } from './switchover.ts';
import type { Translator } from './translator.ts';
import type { FailoverRequest, SwitchoverRequest, SwitchoverStep } from './updates.ts';

export interface GroupMovesParts {
  readonly cluster: GroupCluster;
  readonly ledger: Ledger;
  readonly view: GroupView;
  readonly store: PositionsStore;
  readonly translator: () => Translator;
  readonly late: LateRecords;
  readonly onEvent: (event: GroupEvent) => void;
  /** Resolves when all that agents of this site had written by now is in the ledger. */
  readonly ledgerHeard: () => Promise<void>;
  /** What the group left here, when its home moved away, is ours when it resolves. */
  readonly leaveNow: (group: string) => Promise<void>;
}

export class GroupMoves {
  readonly #parts: GroupMovesParts;
  readonly #deps: Deps;
  /** By group, the end of the last move that was asked for. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(parts: GroupMovesParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  async plan(request: FailoverRequest): Promise<FailoverPlan> {
    return makePlan(await this.#facts(request)).plan;
  }

  async failover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport> {
    return await this.#inTurn(request.group, async () => {
      const made = makePlan(await this.#facts(request));
      return await this.#execute('failover', request, made, planId, requestedBy);
    });
  }

  /** A planned move: what is waited for, as it changes, then the report. */
  async *switchover(
    request: SwitchoverRequest,
    signal: AbortSignal,
  ): AsyncIterable<SwitchoverStep> {
    const { group, from, to, requestedBy } = request;
    const { view, translator } = this.#parts;
    const parts: SwitchoverParts = {
      clock: this.#deps.clock,
      facts: () => this.#facts(request),
      ends: (logs) => view.ends(logs, from, to),
      behind: (logs) => translator().behind(logs, from, to),
      execute: (made) =>
        this.#inTurn(group, () => {
          return this.#execute('switchover', request, made, undefined, requestedBy);
        }),
    };
    yield* switchover(request, parts, signal);
  }

  async #facts(request: FailoverRequest): Promise<FailoverFacts> {
    const { group, as = group } = request;
    for (const id of new Set([group, as])) await this.#parts.leaveNow(id);
    return await this.#parts.view.facts(request);
  }

  /** @throws MeshError plan_changed when another was quicker */
  async #execute(
    verb: 'failover' | 'switchover',
    { group, from }: FailoverRequest,
    made: MadePlan,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport> {
    const { cluster, ledger, store, late, onEvent } = this.#parts;
    const { moved, plan, isSourceThere } = made;
    const now = ledger.home(moved.group);
    if (now !== undefined && now.epoch >= moved.home.epoch) {
      const text = `the home of ${moved.group} has moved meanwhile: it is ${atHome(now)}`;
      throw new MeshError('plan_changed', text);
    }
    const positions = store.positions(from, group);
    const report = await executePlan(made, planId, {
      cluster,
      ledger,
      nowMs: this.#deps.clock.nowMs(),
      beforeMoved: async () => {
        if (verb === 'failover') await late.note(plan.answer, isSourceThere, plan.as);
      },
      metadata: new Map(positions.map((one) => [`${one.topic}/${one.partition}`, one.metadata])),
    });
    onEvent(moveEvent(verb, report, requestedBy));
    return report;
  }

  async #inTurn<T>(group: string, move: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(group) ?? Promise.resolve();
    const mine = before.then(async () => {
      await this.#parts.ledgerHeard();
      return await move();
    });
    const ended = mine.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(group, ended);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(group) === ended) this.#turns.delete(group);
    }
  }
}
