/**
 * What the leaders of one cluster say of their logs: where epochs end, and whether batches are
 * there.
 */
import type { EpochEnd, EpochQuestion, TopicPartition } from '../kafka/cluster.ts';
import { refusal } from '../kafka/convert-error.ts';
import { batchAt, completeBatches, readOffset } from '../records/batch-header.ts';
import { AskedTogether } from './asked-together.ts';
import type { ClusterView } from './cluster-view.ts';
import type { EpochAnswer, LeaderLog } from './epoch-chain.ts';

const lookBytes = 64 * 1024;

export class LeaderLogs {
  readonly #view: ClusterView;
  readonly #epochs: AskedTogether<EpochQuestion, EpochEnd>;

  constructor(view: ClusterView) {
    this.#view = view;
    this.#epochs = new AskedTogether(
      (topic, partition) => view.leader(topic, partition),
      (questions) => view.cluster.epochEnds(questions),
    );
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
    const end = await this.#epochs.ask(question);
    if (end?.errorCode === 0) return { epoch: end.epoch, end: Number(end.endOffset) };
    const what = `leader epochs of ${question.topic}/${question.partition}`;
    throw refusal(this.#view.cluster.name, what, end?.errorCode ?? -1);
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

function pick({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
