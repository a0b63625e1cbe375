/** What one fetch asks for, at which offsets, and what of it was answered. */
import type { FetchedPartition, FetchPartition } from '../kafka/cluster.ts';
import type { PartitionCopy } from './partition-copy.ts';

interface AskedOne {
  readonly copy: PartitionCopy;
  readonly offset: number;
  isAnswered: boolean;
}

export class Asked {
  readonly partitions: readonly FetchPartition[];
  readonly #all: readonly AskedOne[];
  /** By topic and partition number. */
  readonly #byTopic = new Map<string, AskedOne[]>();

  /** @param bytesMax of each partition's answer */
  constructor(copies: readonly PartitionCopy[], bytesMax: number) {
    this.#all = copies.map((copy) => this.#note(copy));
    this.partitions = this.#all.map(({ copy, offset }) => {
      const { topic, partition } = copy.id;
      return { topic, partition, offset: BigInt(offset), bytesMax, ...copy.fetchLife };
    });
  }

  /** What this answers; undefined: nothing that was asked for. */
  answered({ topic, partition }: FetchedPartition): AskedOne | undefined {
    const found = this.#byTopic.get(topic)?.[partition];
    if (found !== undefined) found.isAnswered = true;
    return found;
  }

  /** Nothing changed where nothing was answered. */
  tellUnchanged(): void {
    for (const { copy, offset, isAnswered } of this.#all) {
      if (!isAnswered) copy.onUnchanged(offset);
    }
  }

  #note(copy: PartitionCopy): AskedOne {
    const { topic, partition } = copy.id;
    const one = { copy, offset: copy.fetchPosition, isAnswered: false };
    let ofTopic = this.#byTopic.get(topic);
    if (ofTopic === undefined) this.#byTopic.set(topic, (ofTopic = []));
    ofTopic[partition] = one;
    return one;
  }
}
