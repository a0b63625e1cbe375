/**
 * A fetch session (KIP-227): the broker remembers what was asked, a request names only what is
 * asked otherwise than before, and an answer brings only partitions in which something changed.
 * Long-polling thousands of partitions in which nothing happens then costs next to nothing at both
 * ends.
 *
 * Invariant: `#asked` is what the broker remembers, once the request planned last has been answered.
 */
import type { FetchedPartition, FetchPartition } from '../cluster.ts';

/** What a request says of its session, and names. */
export interface SessionRequest {
  readonly id: number;
  /** 0: a new session, of all that is named; -1: none. */
  readonly epoch: number;
  readonly partitions: readonly FetchPartition[];
  /** Topic ids, and which partitions of them are not asked for any more. */
  readonly forgotten: readonly (readonly [string, readonly number[]])[];
}

export interface FetchAnswer {
  /** Of the request as a whole. */
  readonly errorCode: number;
  /** 0: the broker keeps no session. */
  readonly sessionId: number;
  readonly partitions: readonly FetchedPartition[];
  readonly throttleMs: number;
  release(): void;
}

export function noSession(partitions: readonly FetchPartition[]): SessionRequest {
  return { id: 0, epoch: -1, partitions, forgotten: [] };
}

/** Session not found, of another epoch, with another idea of topic ids. */
const sessionErrors: ReadonlySet<number> = new Set([70, 71, 106]);
const epochMax = 0x7fffffff;

interface Asked {
  partition: FetchPartition;
  turn: number;
}

export class FetchSession {
  /** By topic id and partition number. */
  readonly #asked = new Map<string, Map<number, Asked>>();
  #planned: readonly FetchPartition[] | undefined;
  #count = 0;
  #id = 0;
  #epoch = 0;
  #turn = 0;

  /**
   * The request that asks for these partitions, each with its topic id; to be answered before the
   * next one is planned. The very same list as before is not looked through again.
   */
  plan(partitions: readonly FetchPartition[]): SessionRequest {
    const id = this.#id;
    const epoch = this.#epoch;
    if (epoch === 0) this.#forgetAll();
    else if (partitions === this.#planned) return { id, epoch, partitions: [], forgotten: [] };
    this.#planned = partitions;
    this.#turn += 1;
    const changed = partitions.filter((partition) => this.#note(partition));
    const forgotten = this.#count > partitions.length ? this.#forgetOthers() : [];
    return { id, epoch, partitions: changed, forgotten };
  }

  /** Returns false when the broker has lost the session: all is to be asked anew. */
  took({ errorCode, sessionId }: FetchAnswer): boolean {
    const isLost = this.#epoch > 0 && sessionErrors.has(errorCode);
    this.#id = isLost ? 0 : sessionId;
    if (this.#id === 0) this.#epoch = 0;
    else this.#epoch = this.#epoch === epochMax ? 1 : this.#epoch + 1;
    return !isLost;
  }

  /** Returns true when the broker remembers it otherwise, or not at all. */
  #note(partition: FetchPartition): boolean {
    const topicId = partition.topicId ?? '';
    let ofTopic = this.#asked.get(topicId);
    if (ofTopic === undefined) this.#asked.set(topicId, (ofTopic = new Map<number, Asked>()));
    const known = ofTopic.get(partition.partition);
    if (known === undefined) {
      ofTopic.set(partition.partition, { partition, turn: this.#turn });
      this.#count += 1;
      return true;
    }
    const isSame =
      known.partition.offset === partition.offset &&
      known.partition.leaderEpoch === partition.leaderEpoch &&
      known.partition.bytesMax === partition.bytesMax;
    known.partition = partition;
    known.turn = this.#turn;
    return !isSame;
  }

  #forgetOthers(): [string, number[]][] {
    const forgotten: [string, number[]][] = [];
    for (const [topicId, ofTopic] of this.#asked) {
      const others = [...ofTopic].filter(([, { turn }]) => turn !== this.#turn);
      const gone = others.map(([partition]) => partition);
      for (const partition of gone) ofTopic.delete(partition);
      if (gone.length > 0) forgotten.push([topicId, gone]);
      this.#count -= gone.length;
    }
    return forgotten;
  }

  #forgetAll(): void {
    this.#asked.clear();
    this.#count = 0;
  }
}
