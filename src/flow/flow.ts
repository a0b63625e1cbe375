/**
 * One direction of the mesh, as far as this agent carries it: finds what is to be carried, starts
 * and stops the copying of partitions as slots come and go, and says how things stand.
 *
 * Invariant: a partition is copied here only while this agent holds its slot. What makes that
 * safe is the fence of take-over.ts; slots only share out the work.
 */
import { Semaphore } from '../base/semaphore.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { slotCount } from '../kafka/slots.ts';
import { AclSync } from './acl-sync.ts';
import { ConfigSync } from './config-sync.ts';
import type { FlowContext } from './flow-context.ts';
import { FlowMeter } from './flow-meter.ts';
import { holdIds } from './hold-ids.ts';
import { readIdleEnds } from './idle-ends.ts';
import { LeaderLogs } from './leader-logs.ts';
import { LinkShelf } from './link-shelf.ts';
import { keepHidden } from './missing-topics.ts';
import { PartitionCopy } from './partition-copy.ts';
import { slotOf } from './slot-of.ts';
import { RunningCopies } from './running-copies.ts';
import { SourceReader } from './source-reader.ts';
import { asHeld, judge, oldestLag } from './judgement.ts';
import type { CopyTarget, FlowStatus, PartitionStatus } from './status.ts';
import { LimitReader } from './limit-reader.ts';
import { TargetWriter } from './target-writer.ts';
import { TopicOwnership } from './topic-ownership.ts';
import { TopicUpkeep, type CarriedTopic } from './topic-upkeep.ts';

const takeOversMax = 32;
const meterMs = 1_000;
/** Meter readings between two looks at the ends of what is not being fetched. */
const idleEndsEvery = 5;

export class Flow {
  readonly #context: FlowContext;
  readonly #upkeep: TopicUpkeep;
  readonly #configs: ConfigSync;
  readonly #acls: AclSync;
  readonly #limits: LimitReader;
  readonly #reader: SourceReader;
  readonly #writer: TargetWriter;
  readonly #meter: FlowMeter;
  readonly #targetLinks: LinkShelf;
  readonly #sourceLogs: LeaderLogs;
  readonly #targetLogs: LeaderLogs;
  readonly #takeOvers = new Semaphore(takeOversMax);
  readonly #running: RunningCopies;
  #carried: readonly CarriedTopic[] = [];
  readonly #failing = new Set<string>();
  #hasLooked = false;

  constructor(context: FlowContext) {
    const { deps, settings } = context;
    this.#context = context;
    const ownership = new TopicOwnership(context);
    this.#upkeep = new TopicUpkeep(context, ownership);
    this.#configs = new ConfigSync(context, ownership);
    this.#acls = new AclSync(context);
    this.#limits = new LimitReader(context);
    this.#reader = new SourceReader(context);
    this.#writer = new TargetWriter(context, () => this.#reader.wake());
    this.#meter = new FlowMeter(settings.id, deps.clock, deps.metrics);
    this.#targetLinks = new LinkShelf(context.target.cluster, 'recover');
    this.#sourceLogs = new LeaderLogs(context.source);
    this.#targetLogs = new LeaderLogs(context.target);
    this.#running = new RunningCopies((id) => this.#open(id));
  }

  get id(): string {
    return this.#context.settings.id;
  }

  /** Runs until the signal fires; resolves when everything that was started has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { slots, source, target, controls } = this.#context;
    const share = (): void => controls.rate.setShare(slots.held.size / slotCount);
    share();
    const stopListening = [
      slots.onChange(share),
      slots.onChange(() => void this.#reconcile(signal)),
      target.onRefresh((isSame) => this.#kickAll(isSame)),
      source.onRefresh((isSame) => {
        if (!isSame) for (const copy of this.#running.all) copy.watchSource();
        this.#retryPaused();
      }),
    ];
    const reading = this.#reader.run(signal);
    const measuring = this.#measure(signal);
    const holding = holdIds(this.#context, () => this.#running.all, signal);
    await this.#look(signal);
    for (const stop of stopListening) stop();
    await this.#running.set(new Map());
    // Requests in flight are answered, or their connections closed, before partitions can end.
    await this.#writer[Symbol.asyncDispose]();
    await this.#running.ended();
    await Promise.all([reading, measuring, holding]);
    await this.#targetLinks[Symbol.asyncDispose]();
  }

  /** Tries again at once whatever is paused by its own trouble. */
  retryNow(): void {
    this.#upkeep.retryNow();
    this.#retryPaused(true);
  }

  /** @throws MeshError precondition, saying what is carried */
  checkCarried(topic: string, partition: number | undefined): void {
    if (!this.#hasLooked) return;
    const found = this.#carried.find((one) => one.topic === topic);
    if (found === undefined) {
      throw new MeshError('precondition', `${this.id} carries no topic ${topic}`);
    }
    if (partition === undefined || partition < found.partitions) return;
    const text = `${topic} has the partitions 0 to ${found.partitions - 1}: no ${partition}`;
    throw new MeshError('precondition', text);
  }

  status(): FlowStatus {
    const { settings, agent, slots, controls } = this.#context;
    const partitions = this.#running.all.map((copy) => copy.status());
    const lag = partitions.reduce((sum, one) => sum + (one.lagRecords ?? 0n), 0n);
    const lagSeconds = oldestLag(partitions);
    const held = partitions.map((one) => asHeld(one, controls));
    const refused = this.#refusedTopics();
    const { state, heldBy, why } = judge({
      context: this.#context,
      partitions,
      held,
      refused: refused[0],
      lagSeconds,
      sourceWhy: this.#reader.why,
      targetWhy: this.#writer.why,
      hasLooked: this.#hasLooked,
      hasShare: slots.isSure,
    });
    return {
      flow: settings.id,
      agent,
      state,
      lagRecords: lag,
      lagSeconds,
      ...this.#meter.rates(),
      limitBytesPerSecond: controls.rate.bytesPerSecond,
      heldBy,
      why,
      slotsHeld: slots.held.size,
      slotsTotal: slotCount,
      partitions: [...held, ...refused],
      notices: [...this.#configs.notices, ...this.#acls.notices],
    };
  }

  #refusedTopics(): PartitionStatus[] {
    return this.#carried
      .filter((topic) => topic.why !== '')
      .map(({ topic, remoteTopic, why }) => ({
        topic,
        remoteTopic,
        partition: -1,
        state: 'paused',
        position: undefined,
        sourceEnd: undefined,
        lagRecords: undefined,
        lagSeconds: undefined,
        sourceEndAsOfMs: undefined,
        why,
        heldByAgent: this.#context.agent,
      }));
  }

  /** The upkeep loop: what is carried may change at any time. */
  async #look(signal: AbortSignal): Promise<void> {
    const { deps, settings, timings } = this.#context;
    while (!signal.aborted) {
      try {
        const found = await this.#upkeep.round();
        const carried = await keepHidden(this.#context, this.#carried, found, this.#running.all);
        await this.#besides('settings', () => this.#configs.round(carried));
        // Before anything of a new topic is stamped: the size of its batches hangs on it.
        await this.#limits.round(carried.map(({ remoteTopic }) => remoteTopic));
        const isSame = carried === this.#carried && this.#running.isAsWanted;
        await this.#lanes(carried);
        this.#carried = carried;
        this.#hasLooked = true;
        if (!isSame) await this.#reconcile(signal);
        await this.#besides('ACLs', () => this.#acls.round(carried));
      } catch (error) {
        const isOver = isMeshError(error, 'aborted');
        if (!isOver) {
          deps.log.warn({ flow: settings.id, why: errorMessage(error) }, 'topic upkeep failed');
        }
      }
      await deps.clock.sleep(timings.upkeepMs, signal).catch(() => undefined);
    }
  }

  /** Work that copying does not wait for: when it fails it is tried again in the next round. */
  async #besides(what: string, work: () => Promise<void>): Promise<void> {
    const { deps, settings } = this.#context;
    try {
      await work();
      this.#failing.delete(what);
    } catch (error) {
      const level = this.#failing.has(what) ? 'debug' : 'warn';
      this.#failing.add(what);
      deps.log[level]({ flow: settings.id, why: errorMessage(error) }, `${what} not followed`);
    }
  }

  /** A topic that has become compacted, or is so no longer, is taken over in its other lane. */
  async #lanes(carried: readonly CarriedTopic[]): Promise<void> {
    const { lanes } = this.#context;
    if (!(await lanes.round(carried.filter(({ partitions }) => partitions > 0)))) return;
    for (const copy of this.#running.all) {
      const { lane } = lanes.of(copy.id.topic);
      if (copy.lane === undefined || copy.lane === lane) continue;
      copy.lose(new MeshError('fenced', `carried in the ${lane} lane from here on`));
    }
  }

  /** Starts what this agent should copy and does not yet, stops what it should not any more. */
  #reconcile(signal: AbortSignal): Promise<void> {
    const { slots } = this.#context;
    const wanted = new Map<string, CopyTarget>();
    for (const { topic, remoteTopic, partitions } of this.#carried) {
      for (let partition = 0; partition < partitions; partition += 1) {
        const slot = slotOf(topic, partition);
        if (!slots.held.has(slot) || signal.aborted) continue;
        wanted.set(`${topic}/${partition}`, { topic, remoteTopic, partition, slot });
      }
    }
    return this.#running.set(wanted);
  }

  #open(id: CopyTarget): PartitionCopy {
    return new PartitionCopy(id, this.#context, {
      reader: this.#reader,
      writer: this.#writer,
      targetLinks: this.#targetLinks,
      sourceLogs: this.#sourceLogs,
      targetLogs: this.#targetLogs,
      meter: this.#meter,
      admit: (work, signal) => this.#takeOvers.run(work, signal),
    });
  }

  #kickAll(isSame: boolean): void {
    for (const copy of this.#running.all) {
      if (!isSame) copy.watchTarget();
      if (copy.window?.isEmpty === false) this.#writer.kick(copy);
    }
  }

  #retryPaused(isForced = false): void {
    const isBack = this.#context.source.unreachableSinceMs === undefined;
    for (const copy of this.#running.all) {
      if (copy.state === 'paused' && (isForced || (isBack && copy.isTransient))) copy.retryNow();
    }
  }

  async #measure(signal: AbortSignal): Promise<void> {
    const { controls } = this.#context;
    for (let reading = 0; !signal.aborted; reading += 1) {
      this.#meter.read(this.#running.all.reduce((lag, copy) => lag + copy.lagRecords, 0));
      if (reading % idleEndsEvery === 0) {
        const isIdle = (copy: PartitionCopy): boolean =>
          controls.pauseOf(copy.id.topic, copy.id.partition) !== undefined ||
          copy.state !== 'copying';
        await readIdleEnds(this.#context, this.#running.all.filter(isIdle));
      }
      await this.#context.deps.clock.sleep(meterMs, signal).catch(() => undefined);
    }
  }
}
