/**
 * The copying of one partition by this agent, from the moment its slot is gained until it is lost:
 * take over (fence, read the tail), copy until trouble, and again.
 *
 * Invariants: `position` advances only past what the target has acknowledged, contiguously; nothing
 * is written before the fence; after anything but a clear answer the partition is taken over anew.
 * Reading is left to SourceReader, sending to TargetWriter, the decision about answers to
 * produce-answer.ts, the recovery to take-over.ts.
 */
import { isAborted, throwIfAborted } from '../base/clock.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { Pause } from '../base/pause.ts';
import { Backoff } from '../base/retry.ts';
import type { Hold } from '../base/shared-memory.ts';
import type { BrokerLink, FetchedPartition, ProducedPartition } from '../kafka/cluster.ts';
import { ownBytes, type StampResult } from '../records/stamped-batch.ts';
import type { Lane } from '../topology/model.ts';
import { CopyProgress } from './copy-progress.ts';
import type { FlowContext } from './flow-context.ts';
import type { FlowMeter } from './flow-meter.ts';
import { fetchTrouble } from './fetch-answer.ts';
import { openLane, type CopyLane } from './lane.ts';
import { produceVerdict } from './produce-answer.ts';
import { produceTrouble } from './produce-trouble.ts';
import { SendWindow, type Pending } from './send-window.ts';
import type { SourceReader } from './source-reader.ts';
import type { CopyTarget, PartitionState, PartitionStatus } from './status.ts';
import { rebuildMap } from './map-rebuild.ts';
import { OpenTrouble, troubleText } from './open-trouble.ts';
import { takeOver, type Tenure } from './take-over.ts';
import type { LinkShelf } from './link-shelf.ts';
import type { LeaderLogs } from './leader-logs.ts';
import { LogGaps } from './log-gaps.ts';
import type { SourceGuard, TargetGuard } from './log-guards.ts';
import { openGuards } from './open-guards.ts';
import { Resets } from './resets.ts';
import type { TargetWriter } from './target-writer.ts';

export interface CopyParts {
  readonly reader: SourceReader;
  readonly writer: TargetWriter;
  readonly targetLinks: LinkShelf;
  readonly sourceLogs: LeaderLogs;
  readonly targetLogs: LeaderLogs;
  readonly meter: FlowMeter;
  /** Bounds how many partitions are taken over at once. */
  readonly admit: <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;
}

/** Bytes that one partition may hold unacknowledged before it is left out of fetches. */
const queuedBytesMax = 16 * 1024 * 1024;
const repeatsMax = 40;
/** Plain bytes stamped in one go: a few milliseconds, even with the slowest codec. */
const pieceBytes = 1024 * 1024;

interface Copying {
  readonly tenure: Tenure;
  readonly window: SendWindow;
  readonly lane: CopyLane;
  readonly source: SourceGuard;
  readonly target: TargetGuard;
  readonly end: (trouble: MeshError) => void;
  fetchPosition: number;
  expectedTarget: number;
  isStamping: boolean;
  /** What ends this tenure once all that came before it has been acknowledged. */
  trouble: MeshError | undefined;
}

export class PartitionCopy {
  readonly id: CopyTarget;
  readonly #names: Record<string, unknown>;
  readonly #context: FlowContext;
  readonly #parts: CopyParts;
  #state: PartitionState = 'waiting';
  #why = '';
  #copying: Copying | undefined;
  readonly #progress: CopyProgress;
  readonly #gaps: LogGaps;
  readonly #resets: Resets;
  readonly #retry: Pause;
  readonly #stuck = new OpenTrouble();
  #isHeld = false;

  constructor(id: CopyTarget, context: FlowContext, parts: CopyParts) {
    this.id = id;
    this.#names = { flow: context.settings.id, ...id };
    this.#context = context;
    this.#parts = parts;
    this.#progress = new CopyProgress(context.deps.clock);
    this.#gaps = new LogGaps(id, context);
    this.#resets = new Resets(id, context);
    this.#retry = new Pause(context.deps.clock);
  }

  get state(): PartitionState {
    return this.#state;
  }

  /** Runs until the signal fires; troubles are kept inside and shown in `status`. */
  async run(signal: AbortSignal): Promise<void> {
    const { deps, slots, timings } = this.#context;
    const backoff = new Backoff(
      { delayMsMin: timings.retryDelayMsMin, delayMsMax: timings.retryDelayMsMax },
      deps.clock,
    );
    while (!signal.aborted) {
      const positionBefore = this.#progress.position;
      const trouble = await this.#tenure(signal);
      if (isAborted(signal) || trouble.code === 'aborted') break;
      if (this.#progress.position !== positionBefore) backoff.reset();
      const isFenced = trouble.code === 'fenced';
      this.#enter(isFenced ? 'fencing' : 'paused', troubleText(trouble));
      if (!isFenced) this.#stuck.begin(trouble, this.#progress.position);
      const level = isFenced || backoff.attempts > 0 ? 'debug' : 'warn';
      deps.log[level]({ ...this.#names, code: trouble.code }, trouble.message);
      if (
        isFenced &&
        backoff.attempts === 0 &&
        (await slots.confirm(this.id.slot).catch(() => false))
      ) {
        backoff.nextDelayMs();
        continue;
      }
      await this.#retry.wait(backoff.nextDelayMs(), signal);
    }
    this.#enter('stopped', '');
  }

  /** Paused for something that may be over by now: a leader, a connection. */
  get isTransient(): boolean {
    return this.#stuck.isTransient;
  }

  get lagRecords(): number {
    return this.#progress.lagRecords;
  }

  /** Who holds the target partition, while it is being copied. */
  get holder(): { transactionalId: string; producer: Tenure['producer'] } | undefined {
    const tenure = this.#copying?.tenure;
    return tenure && { transactionalId: tenure.transactionalId, producer: tenure.producer };
  }

  /** The lane that it is being copied in. */
  get lane(): Lane | undefined {
    return this.#copying?.lane.lane;
  }

  /** Somebody else holds the partition now: it must be taken over before anything is written. */
  lose(trouble: MeshError): void {
    this.#copying?.end(trouble);
  }

  /** The source's end, learned otherwise than by fetching: while copying is paused. */
  setSourceEnd(end: number): void {
    // A log that is shorter than it was is another one: the next takeover tells.
    if (end < (this.#progress.sourceEnd ?? 0)) return;
    this.#progress.setSourceEnd(end);
    this.#copying?.tenure.map.setSourceEnd(this.#progress.frontier());
  }

  /** Its topic was deleted at the source: what of it was never copied is lost. */
  tellDeleted(): void {
    const { position = 0, sourceEnd = 0 } = this.#progress;
    this.#resets.tellDeleted(position, sourceEnd);
  }

  /** Tries a paused partition again now: its cause may have gone away. */
  retryNow(): void {
    this.#retry.end();
  }

  // --- what SourceReader asks and tells

  get wantsFetch(): boolean {
    const copying = this.#copying;
    if (copying === undefined || copying.isStamping || copying.trouble !== undefined) return false;
    if (this.#isHeld || copying.window.queuedBytes >= queuedBytesMax) return false;
    return copying.source.isProven(copying.fetchPosition);
  }

  /** Which life of the topic, and which leader, the fetch is for. */
  get fetchLife(): Partial<SourceGuard['life']> {
    return this.#copying?.source.life ?? {};
  }

  /** More is at the source than was fetched, as of the last answer. */
  get hasMore(): boolean {
    return this.fetchPosition >= 0 && this.fetchPosition < (this.#progress.sourceEnd ?? 0);
  }

  /** Nothing more is there, as of an answer since copying began. */
  get isCurrent(): boolean {
    return this.#progress.isEndKnown && !this.hasMore;
  }

  get fetchPosition(): number {
    return this.#copying?.fetchPosition ?? -1;
  }

  /** Fresh metadata is here: a partition held for a stale leader may be fetched again. */
  releaseHold(): void {
    this.#isHeld = false;
  }

  /**
   * Resolves when nothing but `hold` refers to the fetched memory any more; undefined: nothing does
   * now, as where nothing was there. Idle, that is every partition each time.
   */
  onFetched(
    fetched: FetchedPartition,
    requestedOffset: number,
    hold: Hold | undefined,
  ): Promise<void> | undefined {
    const copying = this.#copying;
    // An answer from an earlier tenure, or from a leader that the partition has left.
    if (copying?.fetchPosition !== requestedOffset || copying.isStamping) return undefined;
    const trouble = fetchTrouble(fetched, requestedOffset, this.#context.settings.from);
    if (trouble === 'stale_leader') {
      this.#isHeld = true;
      this.#context.source.invalidate();
      return undefined;
    }
    if (trouble !== undefined) {
      copying.end(trouble);
      return undefined;
    }
    this.#progress.setSourceEnd(Number(fetched.lastStableOffset));
    copying.tenure.map.setLogStarts({ source: Number(fetched.logStartOffset), target: -1 });
    if (fetched.records.length > 0) return this.#stampWhole(copying, fetched, hold);
    if (copying.window.isEmpty) this.#advance(copying, requestedOffset);
    return undefined;
  }

  /** Nothing came since the last answer, in which it was asked for at the same offset. */
  onUnchanged(requestedOffset: number): void {
    const copying = this.#copying;
    if (copying?.fetchPosition !== requestedOffset || copying.isStamping) return;
    if (!this.#progress.confirmSourceEnd()) return;
    if (copying.window.isEmpty) this.#advance(copying, requestedOffset);
  }

  // --- what TargetWriter asks and tells

  get window(): SendWindow | undefined {
    return this.#copying?.window;
  }

  /** Whether the target's log is known to hold what was written; else that is found out. */
  mayWriteTo(link: BrokerLink): boolean {
    const copying = this.#copying;
    if (copying === undefined) return false;
    // The broker may have forgotten who was fenced: what is old is written only by a sure holder.
    if (copying.window.isNextOld && !this.#context.slots.isSure) {
      this.#parts.writer.kickLater(this);
      return false;
    }
    return copying.target.isProven(copying.expectedTarget, link);
  }

  /** The source's metadata is fresh: a topic that is not in it has no leader to be fetched from. */
  watchSource(): void {
    this.#copying?.source.isProven(this.#copying.fetchPosition);
  }

  /** The target's metadata is fresh. */
  watchTarget(): void {
    this.#copying?.target.watch(this.#copying.expectedTarget);
  }

  get targetTopicId(): string | undefined {
    return this.#copying?.tenure.targetTopicId;
  }

  /** An answer, or `undefined` for a lost connection: then it is open what landed. */
  onProduced(window: SendWindow, pending: Pending, answer: ProducedPartition | undefined): void {
    const copying = this.#copying;
    if (window.isBroken || copying?.window !== window) {
      window.answered(pending);
      return;
    }
    const verdict = answer === undefined ? 'repeat' : produceVerdict(answer.errorCode);
    if (verdict === 'acknowledged' && answer !== undefined && window.isHead(pending)) {
      this.#acknowledge(copying, pending, Number(answer.baseOffset));
      copying.tenure.map.setLogStarts({ source: -1, target: Number(answer.logStartOffset) });
      return;
    }
    // After a repeatable failure, later batches fail for want of their predecessor (45): the same.
    const isRepeat = verdict === 'repeat' || (window.mustRepeat && answer?.errorCode === 45);
    if (isRepeat && !pending.isOld) {
      this.#context.target.invalidate();
      if (window.failed(pending) < repeatsMax) return;
      copying.end(new MeshError('fenced', 'the target did not acknowledge in time'));
      return;
    }
    window.answered(pending);
    const { limits, settings } = this.#context;
    if (verdict === 'too_large') limits.distrust(this.id.remoteTopic);
    copying.end(produceTrouble(verdict, this.id, pending, answer, settings.to));
  }

  status(): PartitionStatus {
    const { topic, remoteTopic, partition } = this.id;
    return {
      topic,
      remoteTopic,
      partition,
      state: this.#stuck.why === undefined ? this.#state : 'paused',
      ...this.#progress.status(),
      why: this.#stuck.why ?? this.#why,
      heldByAgent: this.#context.agent,
    };
  }

  async #tenure(signal: AbortSignal): Promise<MeshError> {
    try {
      this.#enter('waiting', '');
      const parts = { ...this.#parts, resets: this.#resets };
      const tenure = await this.#parts.admit(
        () => takeOver(this.id, this.#context, parts, (state) => this.#enter(state, ''), signal),
        signal,
      );
      throwIfAborted(signal);
      return await this.#copy(tenure, signal);
    } catch (error) {
      return isMeshError(error)
        ? error
        : new MeshError('defect', errorMessage(error), { cause: error });
    }
  }

  async #copy(tenure: Tenure, signal: AbortSignal): Promise<MeshError> {
    const { reader, writer } = this.#parts;
    const rebuild = new AbortController();
    let stop = (): void => undefined;
    const trouble = await new Promise<MeshError>((resolve) => {
      this.#copying = this.#begin(tenure, resolve);
      tenure.map.setFirstRead(this.#copying.source.firstRead);
      this.#enter('copying', this.#copying.lane.why);
      void rebuildMap(tenure, this.#context.deps.log, this.#names, rebuild.signal);
      stop = () => resolve(new MeshError('aborted', 'stopped'));
      signal.addEventListener('abort', stop, { once: true });
      reader.add(this);
      this.watchTarget();
    });
    // Tenures come and go for as long as the slot is held.
    signal.removeEventListener('abort', stop);
    const copying = this.#copying;
    this.#copying = undefined;
    rebuild.abort();
    reader.remove(this);
    if (copying !== undefined) {
      const bytes = copying.window.ownBytes;
      await copying.window.breakOff();
      this.#context.budget.give(bytes);
    }
    writer.forget(this);
    return trouble;
  }

  #begin(tenure: Tenure, end: (trouble: MeshError) => void): Copying {
    const { limits } = this.#context;
    const { reader, writer, sourceLogs, targetLogs } = this.#parts;
    this.#progress.begin(tenure.position);
    this.#isHeld = false;
    const window = new SendWindow(
      tenure.producer,
      (batch) => batch.maxTimestamp < limits.oldBefore(),
    );
    const lane = openLane(this.id, this.#context, {
      tenure,
      window,
      onReleased: () => writer.kick(this),
      onTrouble: end,
    });
    return {
      tenure,
      end,
      window,
      lane,
      ...openGuards(this.id, this.#context, tenure, {
        sourceLogs,
        targetLogs,
        onSourceProven: () => reader.wake(),
        onTargetProven: () => writer.kick(this),
        onTrouble: end,
      }),
      fetchPosition: tenure.position,
      expectedTarget: tenure.targetEnd,
      isStamping: false,
      trouble: undefined,
    };
  }

  async #stampWhole(
    copying: Copying,
    fetched: FetchedPartition,
    hold: Hold | undefined,
  ): Promise<void> {
    copying.isStamping = true;
    try {
      await this.#stamp(copying, fetched, hold);
    } catch (error) {
      copying.trouble = isMeshError(error) ? error : new MeshError('defect', errorMessage(error));
      if (copying.window.isEmpty) copying.end(copying.trouble);
    } finally {
      copying.isStamping = false;
    }
  }

  async #stamp(
    copying: Copying,
    { records: found, aborted }: FetchedPartition,
    hold: Hold | undefined,
  ): Promise<void> {
    this.#parts.meter.fetched(found.length);
    const { records, trouble } = await this.#gaps.check(found, copying.fetchPosition);
    await copying.source.note(records, copying.fetchPosition);
    copying.tenure.map.setFirstRead(copying.source.firstRead);
    const pieces = copying.lane.pieces(records, copying.fetchPosition, aborted, pieceBytes, hold);
    await this.#context.turns.take();
    for (const piece of pieces) {
      // Leaving the loop gives back only what was being built.
      if (copying.window.isBroken || this.#copying !== copying) {
        for (const batch of piece.batches) batch.release();
        return;
      }
      this.#take(copying, piece);
      await this.#context.turns.take();
    }
    if (trouble !== undefined) throw trouble;
  }

  #take(copying: Copying, { batches, nextPosition, skipped }: StampResult): void {
    const { budget, settings } = this.#context;
    for (const batch of batches) {
      copying.lane.push(batch);
      budget.take(ownBytes(batch));
    }
    copying.fetchPosition = nextPosition;
    if (skipped.looped > 0) {
      this.#context.onEvent({
        kind: 'looped_records',
        flow: settings.id,
        topic: this.id.topic,
        partition: this.id.partition,
        text: `${skipped.looped} records had already been at ${settings.to}: not copied`,
      });
    }
    if (batches.length > 0) this.#parts.writer.kick(this);
    else if (copying.window.isEmpty) this.#advance(copying, copying.fetchPosition);
  }

  #acknowledge(copying: Copying, pending: Pending, baseOffset: number): void {
    const { batch } = pending;
    const { map } = copying.tenure;
    if (baseOffset < copying.expectedTarget) {
      copying.window.answered(pending);
      copying.end(
        new MeshError(
          'fenced',
          `${this.id.remoteTopic}/${this.id.partition} went back to ${baseOffset}`,
        ),
      );
      return;
    }
    if (baseOffset > copying.expectedTarget) {
      this.#resets.tellForeign({ from: copying.expectedTarget, to: baseOffset });
    }
    for (const run of batch.runs) {
      map.append({
        sourceOffset: run.sourceOffset,
        targetOffset: baseOffset + run.index,
        length: run.length,
      });
    }
    copying.lane.acknowledged(batch);
    copying.expectedTarget = baseOffset + batch.recordCount;
    this.#progress.copied(batch.maxTimestamp);
    this.#parts.meter.copied(batch.recordCount, batch.bytes.length);
    this.#context.budget.give(ownBytes(batch));
    const next = batch.nextSourceOffset;
    copying.window.acknowledged(pending);
    this.#advance(copying, copying.window.isEmpty ? copying.fetchPosition : next);
    if (copying.trouble !== undefined && copying.window.isEmpty) copying.end(copying.trouble);
  }

  #advance(copying: Copying, position: number): void {
    this.#progress.advance(position);
    this.#stuck.standsAt(position, this.isCurrent);
    copying.tenure.map.scannedTo(position);
    copying.tenure.map.setSourceEnd(this.#progress.frontier());
  }

  #enter(state: PartitionState, why: string): void {
    this.#state = state;
    this.#why = why;
  }
}
