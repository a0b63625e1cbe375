/**
 * Of the partition that is asked for first a broker gives a batch, if there is one, whatever the
 * limits. When there should be one, and none comes, its log is damaged in a way that ends its own
 * search: it says nothing of that.
 */
import type { FetchedPartition } from '../kafka/cluster.ts';
import { corrupt } from '../records/corrupt.ts';
import type { PartitionCopy } from './partition-copy.ts';

/** Once could be chance: what there is and what is given are not of one instant. */
const emptyAnswersMax = 3;

export class GivenCheck {
  readonly #from: string;
  readonly #emptyAnswers = new Map<PartitionCopy, number>();

  constructor(from: string) {
    this.#from = from;
  }

  /** @param offset asked for, of the partition that was the first one */
  check(copy: PartitionCopy, offset: number, fetched: FetchedPartition): void {
    const { errorCode, records, lastStableOffset } = fetched;
    const isEmpty = errorCode === 0 && records.length === 0 && offset < Number(lastStableOffset);
    const count = isEmpty ? (this.#emptyAnswers.get(copy) ?? 0) + 1 : 0;
    this.#emptyAnswers.set(copy, count);
    if (count < emptyAnswersMax || copy.fetchPosition !== offset) return;
    const text = `${this.#from} has offsets up to ${lastStableOffset}, and gives none`;
    copy.lose(corrupt(`${copy.id.topic}/${copy.id.partition}@${offset}`, text));
  }

  forget(copy: PartitionCopy): void {
    this.#emptyAnswers.delete(copy);
  }
}
