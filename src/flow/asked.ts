/** What one fetch asks for, at which offsets, and what of it was answered. */
import type { FetchedPartition, FetchPartition } from '../kafka/cluster.ts';
import type { PartitionCopy } from './partition-copy.ts';

interface AskedOne {
  readonly copy: PartitionCopy;
  readonly offset: number;
  readonly life: PartitionCopy['fetchLife'];
  isAnswered: boolean;
}

export class Asked {
  readonly partitions: readonly FetchPartition[];
  readonly #all: readonly AskedOne[];
  /** By topic and partition number. */
  readonly #byTopic = new Map<string, AskedOne[]>();

  readonly #bytesMax: number;

  /** @param bytesMax of each partition's answer */
  constructor(copies: readonly PartitionCopy[], bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#all = copies.map((copy) => this.#note(copy));
    this.partitions = this.#all.map(({ copy, offset, life }) => {
      const { topic, partition } = copy.id;
      return { topic, partition, offset: BigInt(offset), bytesMax, ...life };
    });
  }

  /**
   * What asks for these: this once more, as when nothing has moved since it was answered, with the
   * very same `partitions`; or another.
   */
  again(copies: readonly PartitionCopy[], bytesMax: number): Asked {
    const isSame = bytesMax === this.#bytesMax && copies.length === this.#all.length;
    const isAsBefore = ({ copy, offset, life }: AskedOne, at: number): boolean =>
      copy === copies[at] && offset === copy.fetchPosition && life === copy.fetchLife;
    if (!isSame || !this.#all.every(isAsBefore)) return new Asked(copies, bytesMax);
    for (const one of this.#all) one.isAnswered = false;
    return this;
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
    const one = { copy, offset: copy.fetchPosition, life: copy.fetchLife, isAnswered: false };
    let ofTopic = this.#byTopic.get(topic);
    if (ofTopic === undefined) this.#byTopic.set(topic, (ofTopic = []));
    ofTopic[partition] = one;
    return one;
  }
}

/** The order turns with every fetch, so that a hot partition cannot starve the others. */
export function inTurn<T>(all: readonly T[], turn: number): readonly T[] {
  const first = turn % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}
