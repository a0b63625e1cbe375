/**
 * Whether a log is still the one that copying knows: the source's before it is fetched from, the
 * target's before it is written to. A topic made again has another id; a log that was truncated is
 * found out by asking its new leader where the epochs end that were read or written (KIP-320). One
 * guard of each kind for each tenure.
 *
 * Invariants: nothing is fetched in a leader epoch in which the log has not been compared; nothing
 * is written after the leader has changed, or over another connection, before the target's end has
 * been compared. What to do about a log that is another is left to the takeover, which follows.
 */
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { BrokerLink, TopicPartition } from '../kafka/cluster.ts';
import type { ClusterView } from './cluster-view.ts';
import type { FirstRead } from '../offsets/run.ts';
import type { CopyKey } from './copy-journal.ts';
import { findDivergence, type EpochChain, type LeaderLog } from './epoch-chain.ts';
import type { EpochJournal } from './epoch-journal.ts';
import type { LeaderLogs } from './leader-logs.ts';

interface GuardParts {
  readonly view: ClusterView;
  readonly logs: LeaderLogs;
  readonly place: TopicPartition;
  /** The life of the topic that the tenure is about. */
  readonly topicId: string;
  /** Newest leader epoch for which the log has been compared. */
  readonly leaderEpoch: number;
  /** Has been compared, and is the same. */
  readonly onProven: () => void;
  readonly onTrouble: (trouble: MeshError) => void;
}

/** What the two have in common: one question at a time, asked anew when it was not answered. */
class Guard {
  readonly #parts: GuardParts;
  #provenEpoch: number;
  /** A question about an epoch that is over is not waited for. */
  #asking: number | undefined;

  constructor(parts: GuardParts) {
    this.#parts = parts;
    this.#provenEpoch = parts.leaderEpoch;
  }

  get provenEpoch(): number {
    return this.#provenEpoch;
  }

  /** The leader epoch to be compared; undefined when there is no such topic any more. */
  get currentEpoch(): number | undefined {
    const { view, place, topicId, onTrouble } = this.#parts;
    const found = view.topic(place.topic);
    const what = found === undefined ? 'is not there (any more)' : 'was made again';
    if (found?.topicId !== topicId) {
      onTrouble(new MeshError('fenced', `${place.topic} at ${view.cluster.name} ${what}`));
      return undefined;
    }
    return view.partition(place.topic, place.partition)?.leaderEpoch ?? -1;
  }

  /** @param compare what is wrong with the log; undefined when nothing is */
  ask(epoch: number, compare: (log: LeaderLog) => Promise<string | undefined>): void {
    if (this.#asking === epoch) return;
    this.#asking = epoch;
    void this.#ask(epoch, compare).finally(() => {
      if (this.#asking === epoch) this.#asking = undefined;
    });
  }

  async #ask(
    epoch: number,
    compare: (log: LeaderLog) => Promise<string | undefined>,
  ): Promise<void> {
    const { view, logs, place, topicId, onProven, onTrouble } = this.#parts;
    try {
      const wrong = await compare(logs.of(place, epoch, topicId));
      if (this.#asking !== epoch) return;
      if (wrong !== undefined) {
        const where = `${place.topic}/${place.partition} at ${view.cluster.name}`;
        onTrouble(new MeshError('fenced', `${where}: ${wrong}`));
        return;
      }
      this.#provenEpoch = epoch;
      queueMicrotask(onProven);
    } catch (error) {
      if (isMeshError(error) && error.retriable) view.invalidate();
      else onTrouble(isMeshError(error) ? error : new MeshError('defect', errorMessage(error)));
    }
  }
}

export interface SourceGuardParts extends GuardParts {
  readonly journal: EpochJournal;
  readonly key: CopyKey;
  readonly generation: number;
}

/** What is fetched by; the same object for as long as it is the same. */
export interface FetchLife {
  readonly topicId: string;
  readonly leaderEpoch: number;
}

export class SourceGuard {
  readonly #guard: Guard;
  readonly #parts: SourceGuardParts;
  readonly #chain: EpochChain;
  #life: FetchLife;

  constructor(parts: SourceGuardParts) {
    this.#parts = parts;
    this.#life = { topicId: parts.topicId, leaderEpoch: parts.leaderEpoch };
    this.#guard = new Guard(parts);
    this.#chain = parts.journal.chain(parts.key, parts.generation);
  }

  /** What is fetched by: a leader of another epoch, or another life of the topic, gives nothing. */
  get life(): FetchLife {
    const { provenEpoch: leaderEpoch } = this.#guard;
    if (leaderEpoch !== this.#life.leaderEpoch) this.#life = { ...this.#life, leaderEpoch };
    return this.#life;
  }

  /** What was read first of this life of the topic; undefined: nothing, or no epoch is known. */
  get firstRead(): FirstRead | undefined {
    const [first] = this.#chain.starts;
    return first && { epoch: first.epoch, source: first.from };
  }

  /** Whether the records before that offset are those that were read. If not known, it is asked. */
  isProven(position: number): boolean {
    const epoch = this.#guard.currentEpoch;
    if (epoch === undefined) return false;
    if (epoch <= this.#guard.provenEpoch) return true;
    this.#guard.ask(epoch, async (log) => {
      const from = await findDivergence(this.#chain, position, log);
      return from === undefined ? undefined : `another log from ${from} on, read up to ${position}`;
    });
    return false;
  }

  /** Resolves when the epochs of these raw batches are stored: only then may they be copied. */
  async note(records: Buffer, position: number): Promise<void> {
    const { journal, key, generation } = this.#parts;
    await journal.put(key, generation, this.#chain.note(records, position));
  }
}

export class TargetGuard {
  readonly #guard: Guard;
  readonly #topicId: string;
  #link: BrokerLink | undefined;

  constructor(parts: GuardParts) {
    this.#guard = new Guard(parts);
    this.#topicId = parts.topicId;
  }

  get topicId(): string {
    return this.#topicId;
  }

  /** After a change of the leader the log is compared, although nothing is to be written. */
  watch(writtenEnd: number): void {
    const epoch = this.#guard.currentEpoch;
    if (epoch !== undefined && epoch > this.#guard.provenEpoch) this.#ask(writtenEnd, epoch);
  }

  /** Whether the log holds all that was written. If that is not known, it is asked. */
  isProven(writtenEnd: number, link: BrokerLink): boolean {
    const epoch = this.#guard.currentEpoch;
    if (epoch === undefined) return false;
    const { provenEpoch } = this.#guard;
    if (epoch <= provenEpoch && this.#link === link) return true;
    this.#ask(writtenEnd, Math.max(epoch, provenEpoch), link);
    return false;
  }

  #ask(writtenEnd: number, epoch: number, link = this.#link): void {
    const { provenEpoch } = this.#guard;
    this.#guard.ask(epoch, async (log) => {
      const { epoch: found, end } = await log.ask(provenEpoch);
      if (found !== provenEpoch || end < writtenEnd) {
        return `ends at ${end} in leader epoch ${provenEpoch}, was written up to ${writtenEnd}`;
      }
      this.#link = link;
      return undefined;
    });
  }
}
