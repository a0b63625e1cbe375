/**
 * Questions to the leaders of one cluster about their logs, gathered so that a broker that took
 * over a thousand partitions is asked once.
 */
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { EpochEnd, EpochQuestion, TopicPartition } from '../kafka/cluster.ts';
import { refusal } from '../kafka/convert-error.ts';
import { batchAt, completeBatches, readOffset } from '../records/batch-header.ts';
import type { ClusterView } from './cluster-view.ts';
import type { EpochAnswer, LeaderLog } from './epoch-chain.ts';

interface Waiting {
  readonly question: EpochQuestion;
  readonly resolve: (end: EpochEnd | undefined) => void;
  readonly reject: (error: MeshError) => void;
}

const lookBytes = 64 * 1024;

export class LeaderLogs {
  readonly #view: ClusterView;
  readonly #waiting: Waiting[] = [];

  constructor(view: ClusterView) {
    this.#view = view;
  }

  /**
   * The log of a partition at the leader of that epoch. Its methods throw MeshError, transient when
   * that leader is not there (any more).
   */
  of(place: TopicPartition, leaderEpoch: number, topicId: string): LeaderLog {
    return {
      ask: (epoch) => this.#ask({ ...pick(place), leaderEpoch, epoch }),
      hasBatchIn: (from, to) =>
        this.#hasBatchIn({ ...pick(place), leaderEpoch, topicId }, from, to),
    };
  }

  async #ask(question: EpochQuestion): Promise<EpochAnswer> {
    const end = await new Promise<EpochEnd | undefined>((resolve, reject) => {
      this.#waiting.push({ question, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => void this.#flush());
    });
    if (end?.errorCode === 0) return { epoch: end.epoch, end: Number(end.endOffset) };
    const what = `leader epochs of ${question.topic}/${question.partition}`;
    throw refusal(this.#view.cluster.name, what, end?.errorCode ?? -1);
  }

  /** By leader: one that does not answer holds up no others. */
  async #flush(): Promise<void> {
    const byLeader = new Map<number, Waiting[]>();
    for (const one of this.#waiting.splice(0)) {
      const { topic, partition } = one.question;
      const leader = this.#view.leader(topic, partition) ?? -1;
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), one]);
    }
    await Promise.all([...byLeader.values()].map((some) => this.#askLeader(some)));
  }

  async #askLeader(waiting: readonly Waiting[]): Promise<void> {
    try {
      const ends = await this.#view.cluster.epochEnds(waiting.map(({ question }) => question));
      const byName = new Map(ends.map((end) => [nameOf(end), end]));
      for (const { question, resolve } of waiting) resolve(byName.get(nameOf(question)));
    } catch (thrown) {
      const error = isMeshError(thrown) ? thrown : new MeshError('defect', errorMessage(thrown));
      for (const { reject } of waiting) reject(error);
    }
  }

  async #hasBatchIn(
    place: TopicPartition & { readonly leaderEpoch: number; readonly topicId: string },
    from: number,
    to: number,
  ): Promise<boolean> {
    const { cluster } = this.#view;
    const what = `reading ${place.topic}/${place.partition}`;
    const leader = this.#view.leader(place.topic, place.partition);
    if (leader === undefined) throw refusal(cluster.name, what, 5);
    await using link = await cluster.openLink(leader, 'look');
    const response = await link.fetch({
      partitions: [{ ...place, offset: BigInt(from), bytesMax: lookBytes }],
      maxWaitMs: 100,
      minBytes: 1,
      maxBytes: lookBytes,
      isolation: 'read_uncommitted',
    });
    try {
      const found = response.partitions[0];
      // Out of range: it has nothing there.
      if (found?.errorCode === 1) return false;
      if (found?.errorCode !== 0) throw refusal(cluster.name, what, found?.errorCode ?? -1);
      return touches(found.records, from, to);
    } finally {
      response.release();
    }
  }
}

function touches(records: Buffer, from: number, to: number): boolean {
  for (const { from: at } of completeBatches(records)) {
    const base = readOffset(records, at);
    const last =
      records[at + batchAt.magic] === 2
        ? base + records.readInt32BE(at + batchAt.lastOffsetDelta)
        : base;
    if (last >= from) return base < to;
  }
  return false;
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

function pick({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
