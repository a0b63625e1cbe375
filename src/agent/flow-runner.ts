/**
 * Keeps one flow into this site running for as long as the topology has it: joins its slot group,
 * reaches the source's Kafka however long that takes, and starts the flow again when it fails.
 */
import type { BufferPool } from '../base/buffer-pool.ts';
import { isAborted, throwIfAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { FlowId, SiteName } from '../base/ids.ts';
import { Backoff } from '../base/retry.ts';
import { Scope } from '../base/scope.ts';
import type { Turns } from '../base/turns.ts';
import type { ByteBudget } from '../flow/byte-budget.ts';
import { ClusterView } from '../flow/cluster-view.ts';
import { Flow } from '../flow/flow.ts';
import { FlowControls } from '../flow/flow-controls.ts';
import { defaultTimings, type FlowEvent } from '../flow/flow-context.ts';
import type { FlowPlace } from '../flow/overrides.ts';
import type { FlowStatus } from '../flow/status.ts';
import { TargetLimits } from '../flow/target-limits.ts';
import { TopicLanes } from '../flow/topic-lanes.ts';
import type { Cluster } from '../kafka/cluster.ts';
import { slotCount, type SlotShare } from '../kafka/slots.ts';
import type { FlowSettings, Topology } from '../topology/model.ts';
import type { ControlStore } from './control-store.ts';
import type { MapStore } from './map-store.ts';

export interface FlowRunnerParts {
  readonly agent: string;
  readonly topology: Topology;
  readonly settings: FlowSettings;
  readonly target: ClusterView;
  readonly maps: MapStore;
  readonly controls: ControlStore;
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  readonly turns: Turns;
  readonly openSource: () => Promise<Cluster>;
  readonly openSlots: () => Promise<SlotShare>;
  readonly onEvent: (event: FlowEvent) => void;
}

export const viewRefreshMs = 2_000;

export class FlowRunner {
  readonly #parts: FlowRunnerParts;
  readonly #deps: Deps;
  readonly #controls: FlowControls;
  #slots: SlotShare | undefined;
  #source: ClusterView | undefined;
  #flow: Flow | undefined;
  #failure: string | undefined;
  #waitingFor = 'the slot group';
  #unreachableSinceMs: number | undefined;

  constructor(parts: FlowRunnerParts, deps: Deps) {
    const { settings } = parts;
    this.#parts = parts;
    this.#deps = deps;
    this.#controls = new FlowControls(settings.id, settings.limit.bytesPerSecond, deps.clock);
  }

  get id(): FlowId {
    return this.#parts.settings.id;
  }

  get from(): SiteName {
    return this.#parts.settings.from;
  }

  /** The source's Kafka, while it can be reached. */
  get sourceCluster(): Cluster | undefined {
    const view = this.#source;
    return view?.unreachableSinceMs === undefined ? view?.cluster : undefined;
  }

  /** Wall clock since when the source's Kafka does not answer; undefined while it does. */
  get sourceRefusedSinceMs(): number | undefined {
    return this.#source === undefined ? this.#unreachableSinceMs : this.#source.unreachableSinceMs;
  }

  holds(slot: number): boolean {
    return this.#slots?.held.has(slot) ?? false;
  }

  /** What holds it back on purpose: may be changed at any time. */
  get controls(): FlowControls {
    return this.#controls;
  }

  /** @throws MeshError precondition, when the flow is up and carries no such topic or partition */
  checkPlace({ topic, partition }: FlowPlace): void {
    const flow = this.#flow;
    if (topic !== undefined && flow !== undefined) flow.checkCarried(topic, partition);
  }

  retryNow(): void {
    this.#flow?.retryNow();
  }

  /** Why it failed; undefined unless it did, until it runs again. */
  get failure(): string | undefined {
    return this.#failure;
  }

  status(): FlowStatus {
    const known = this.#flow?.status();
    if (known !== undefined && this.#failure === undefined) return known;
    const isFailed = this.#failure !== undefined;
    const isUnreachable = this.#unreachableSinceMs !== undefined;
    const state = isFailed ? 'failed' : isUnreachable ? 'unreachable' : 'starting';
    return {
      flow: this.id,
      agent: this.#parts.agent,
      state,
      lagRecords: 0n,
      lagSeconds: undefined,
      trendRecordsPerSecond: 0,
      recordsPerSecond: 0,
      bytesPerSecond: 0,
      limitBytesPerSecond: this.#controls.rate.bytesPerSecond,
      heldBy: isUnreachable ? 'unreachable' : undefined,
      why: this.#failure ?? `waiting for ${this.#waitingFor}`,
      slotsHeld: this.#slots?.held.size ?? 0,
      slotsTotal: slotCount,
      partitions: [],
      notices: [],
    };
  }

  /** Runs until the signal fires. Failures are logged, shown in `status`, and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ delayMsMin: 500, delayMsMax: 10_000 }, this.#deps.clock);
    while (!signal.aborted) {
      const scope = new Scope();
      try {
        await this.#runOnce(scope, backoff, signal);
      } catch (error) {
        if (isAborted(signal) || isMeshError(error, 'aborted')) break;
        this.#failure = errorMessage(error);
        this.#deps.log.error({ flow: this.id, why: this.#failure }, 'flow failed');
      } finally {
        await scope[Symbol.asyncDispose]().catch((error: unknown) => {
          this.#deps.log.warn({ flow: this.id, why: errorMessage(error) }, 'closing a flow');
        });
        this.#flow = undefined;
        this.#source = undefined;
        this.#slots = undefined;
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  }

  async #runOnce(scope: Scope, backoff: Backoff, signal: AbortSignal): Promise<void> {
    const { agent, topology, settings, target, maps, controls, budget, pool, turns, onEvent } =
      this.#parts;
    const { overrides } = controls;
    const tell = (): void => this.#controls.setOverrides(overrides.list(settings.id));
    scope.defer(overrides.onChange(tell));
    tell();
    const { clock, log } = this.#deps;
    const slots = scope.own(await this.#parts.openSlots());
    this.#slots = slots;
    const cluster = scope.own(await this.#reachSource(signal));
    const source = new ClusterView(cluster, { refreshMs: viewRefreshMs, clock, log });
    this.#source = source;
    await Promise.all([source.refresh(signal), target.refresh(signal)]);
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const watching = source.run(stop.signal);
    const flow = new Flow({
      deps: this.#deps,
      topology,
      settings,
      agent,
      source,
      target,
      slots,
      maps: maps.book,
      journal: maps.journal,
      epochs: maps.epochs,
      controls: this.#controls,
      acls: controls.ledger,
      passes: maps.passes,
      lanes: new TopicLanes(settings, { source: cluster, target: target.cluster, clock }),
      limits: new TargetLimits(clock),
      budget,
      pool,
      turns,
      timings: { ...defaultTimings, upkeepMs: viewRefreshMs },
      onEvent,
    });
    this.#flow = flow;
    this.#failure = undefined;
    backoff.reset();
    log.info({ flow: this.id }, 'flow started');
    try {
      await flow.run(stop.signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stop.abort();
      await watching;
    }
  }

  async #reachSource(signal: AbortSignal): Promise<Cluster> {
    const { clock, log } = this.#deps;
    const { from } = this.#parts.settings;
    const backoff = new Backoff({ delayMsMin: 500, delayMsMax: 3_000 }, clock);
    this.#waitingFor = `Kafka of ${from}`;
    for (;;) {
      try {
        const cluster = await this.#parts.openSource();
        if (signal.aborted) await cluster[Symbol.asyncDispose]();
        throwIfAborted(signal);
        this.#unreachableSinceMs = undefined;
        return cluster;
      } catch (error) {
        if (signal.aborted || !isMeshError(error) || error.kind === 'defect') throw error;
        this.#unreachableSinceMs ??= clock.nowMs();
        this.#waitingFor = `Kafka of ${from}: ${error.message}`;
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        log[level]({ flow: this.id, why: error.message }, 'source not reached');
        await backoff.wait(signal);
      }
    }
  }
}
