/**
 * Finds the markers that fences write. A broker answers one request of a connection at a time, and
 * a read that waits for its marker holds up those behind it: so all that wait at a broker are read
 * for together.
 */
import { abortedError } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { attributeBits, batchAt, completeBatches, readOffset } from '../records/batch-header.ts';
import type { BrokerLink, Fence, FetchedPartition, TopicPartition } from './cluster.ts';
import { refusal } from './convert-error.ts';
import type { TransactionHolder } from './requests/transactions.ts';

const timeoutMs = 20_000;
/** Those that come meanwhile wait so long at most. */
const waitMs = 20;
/** Between two reads for several: else each marker that is written ends one. */
const pauseMs = 5;
const partitionBytes = 1024 * 1024;
const bytesMax = 4 * 1024 * 1024;
const outOfRange = 1;

type Marker = Pick<Fence, 'markerOffset' | 'leaderEpoch'>;

export interface MarkerSearch {
  readonly partition: TopicPartition;
  readonly holder: TransactionHolder;
  /** Where the log ended before the marker was asked for. */
  readonly from: number;
  readonly signal: AbortSignal | undefined;
}

interface Waiting extends MarkerSearch {
  readonly deadlineMs: number;
  readonly resolve: (marker: Marker) => void;
  readonly reject: (error: MeshError) => void;
  next: number;
}

export class MarkerWatch {
  readonly #cluster: string;
  readonly #link: (brokerId: number) => Promise<BrokerLink>;
  readonly #deps: Deps;
  /** By leader, then by partition. */
  readonly #waiting = new Map<number, Map<string, Waiting[]>>();

  /** @param link a connection for nothing else; nobody closes it here */
  constructor(cluster: string, link: (brokerId: number) => Promise<BrokerLink>, deps: Deps) {
    this.#cluster = cluster;
    this.#link = link;
    this.#deps = deps;
  }

  /** @throws MeshError kafka_unavailable, kafka_timeout when it does not come; aborted */
  find(leader: number, search: MarkerSearch): Promise<Marker> {
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#deps.clock.monotonicMs() + timeoutMs;
      const one = { ...search, deadlineMs, resolve, reject, next: search.from };
      const name = nameOf(search.partition);
      const known = this.#waiting.get(leader);
      const all = known ?? new Map<string, Waiting[]>();
      all.set(name, [...(all.get(name) ?? []), one]);
      if (known !== undefined) return;
      this.#waiting.set(leader, all);
      // Those of the same turn come along.
      queueMicrotask(() => void this.#run(leader, all));
    });
  }

  async #run(leader: number, all: Map<string, Waiting[]>): Promise<void> {
    while (all.size > 0) {
      try {
        const link = await this.#link(leader);
        for (const one of everyOne(all)) {
          const why = this.#over(one);
          if (why !== undefined) settle(all, one, () => one.reject(why));
        }
        if (all.size > 0) await this.#readOnce(link, all);
        if (all.size > 0) await this.#deps.clock.sleep(pauseMs);
      } catch (thrown) {
        const error = isMeshError(thrown) ? thrown : new MeshError('defect', errorMessage(thrown));
        for (const one of everyOne(all)) settle(all, one, () => one.reject(error));
      }
    }
    this.#waiting.delete(leader);
  }

  #over({ signal, deadlineMs, partition }: Waiting): MeshError | undefined {
    if (signal?.aborted === true) return abortedError(signal);
    if (this.#deps.clock.monotonicMs() < deadlineMs) return undefined;
    const text = `${nameOf(partition)} at ${this.#cluster}: our marker did not appear in the log`;
    return new MeshError('kafka_timeout', text);
  }

  async #readOnce(link: BrokerLink, all: Map<string, Waiting[]>): Promise<void> {
    const partitions = [...all.values()].flatMap((some) => {
      const [first] = some;
      if (first === undefined) return [];
      const offset = BigInt(Math.min(...some.map(({ next }) => next)));
      return [{ ...first.partition, offset, bytesMax: partitionBytes }];
    });
    const limits = { maxWaitMs: waitMs, minBytes: 1, maxBytes: bytesMax } as const;
    const response = await link.fetch({ partitions, ...limits, isolation: 'read_uncommitted' });
    try {
      for (const found of response.partitions) {
        for (const one of all.get(nameOf(found)) ?? []) this.#take(all, one, found);
      }
    } finally {
      response.release();
    }
  }

  #take(all: Map<string, Waiting[]>, one: Waiting, found: FetchedPartition): void {
    const { errorCode } = found;
    if (errorCode === 0) {
      const scan = scanForMarker(found.records, one.holder, one.next);
      one.next = scan.next;
      const { marker } = scan;
      if (marker !== undefined) settle(all, one, () => one.resolve(marker));
      return;
    }
    const where = nameOf(one.partition);
    const error =
      errorCode === outOfRange
        ? new MeshError('kafka_unavailable', `${where} at ${this.#cluster} became shorter`)
        : refusal(this.#cluster, `reading ${where}`, errorCode);
    settle(all, one, () => one.reject(error));
  }
}

function everyOne(all: ReadonlyMap<string, readonly Waiting[]>): Waiting[] {
  return [...all.values()].flat();
}

function settle(all: Map<string, Waiting[]>, one: Waiting, tell: () => void): void {
  const name = nameOf(one.partition);
  const others = (all.get(name) ?? []).filter((other) => other !== one);
  if (others.length > 0) all.set(name, others);
  else all.delete(name);
  tell();
}

function scanForMarker(
  records: Buffer,
  holder: TransactionHolder,
  from: number,
): { readonly marker: Marker | undefined; readonly next: number } {
  let next = from;
  for (const { from: at } of completeBatches(records)) {
    if (records[at + batchAt.magic] !== 2) continue;
    const baseOffset = readOffset(records, at + batchAt.baseOffset);
    const isControl = (records.readInt16BE(at + batchAt.attributes) & attributeBits.control) !== 0;
    const isOurs =
      records.readBigInt64BE(at + batchAt.producerId) === holder.producerId &&
      records.readInt16BE(at + batchAt.producerEpoch) === holder.producerEpoch;
    if (isControl && isOurs && baseOffset >= from) {
      const leaderEpoch = records.readInt32BE(at + batchAt.leaderEpoch);
      return { marker: { markerOffset: BigInt(baseOffset), leaderEpoch }, next };
    }
    next = Math.max(next, baseOffset + records.readInt32BE(at + batchAt.lastOffsetDelta) + 1);
  }
  return { marker: undefined, next };
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
