/** Who is asked for in which kind of poll. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { CopyProgress } from '../../../src/flow/copy-progress.ts';
import type { FlowContext } from '../../../src/flow/flow-context.ts';
import type { PartitionCopy } from '../../../src/flow/partition-copy.ts';
import { SourceReader } from '../../../src/flow/source-reader.ts';
import type {
  BrokerLink,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
} from '../../../src/kafka/cluster.ts';
import { until } from '../../support/until.ts';

const end = 1_000;

/** An idle source: a session leaves out what it has told, whoever asks for it again. */
class IdleSource {
  readonly requests: FetchRequest[] = [];
  readonly #told = new Set<number>();
  openMs = 0;
  /** Which brokers were opened; those that refuse. */
  readonly opened: number[] = [];
  readonly dead = new Set<number>();
  readonly closed: number[] = [];

  async fetch(request: FetchRequest): Promise<FetchResponse> {
    this.requests.push(request);
    const isSession = request.onlyChanges === true;
    const named = request.partitions.filter(({ partition }) => {
      return !isSession || !this.#told.has(partition);
    });
    if (isSession) for (const { partition } of named) this.#told.add(partition);
    await sleep(10);
    const offsets = { highWatermark: BigInt(end), lastStableOffset: BigInt(end) };
    const partitions = named.map(({ topic, partition }): FetchedPartition => {
      const place = { topic, partition, errorCode: 0 };
      return { ...place, ...offsets, logStartOffset: 0n, aborted: [], records: Buffer.alloc(0) };
    });
    return { partitions, areOthersUnchanged: true, throttleMs: 0, release: () => undefined };
  }

  async open(brokerId: number): Promise<BrokerLink> {
    await sleep(this.openMs);
    this.opened.push(brokerId);
    if (this.dead.has(brokerId)) throw new Error(`no answer from ${brokerId}`);
    const link = { brokerId, isOpen: true, fetch: (one: FetchRequest) => this.fetch(one) };
    const close = (): Promise<void> => Promise.resolve(void this.closed.push(brokerId));
    // Nothing else of it is used.
    return { ...link, [Symbol.asyncDispose]: close } as unknown as BrokerLink;
  }
}

interface Moves {
  /** The broker that leads a partition. */
  leader: (topic: string, partition: number) => number;
  /** The leaders may have moved. */
  tell: () => void;
}

function readerOf(
  source: IdleSource,
  moves: Moves = { leader: () => 1, tell: () => undefined },
): SourceReader {
  const never = (): (() => void) => () => undefined;
  const context = {
    deps: { clock: systemClock, log: silentLog },
    settings: { id: 'east->west', from: 'east', to: 'west' },
    timings: { fetchWaitMs: 50 },
    source: {
      leader: (topic: string, partition: number) => moves.leader(topic, partition),
      onRefresh: (listener: (isSame: boolean) => void) => {
        moves.tell = () => listener(false);
        return () => undefined;
      },
      invalidate: () => undefined,
      cluster: { openLink: (id: number) => source.open(id) },
    },
    controls: {
      onChange: never,
      pauseOf: () => undefined,
      rate: { ready: () => Promise.resolve(), fetchBytes: Infinity, take: () => undefined },
    },
    budget: { room: () => Promise.resolve(), take: () => undefined, give: () => undefined },
  };
  // What a reader uses of it.
  return new SourceReader(context as unknown as FlowContext);
}

/** A partition that has been copied to its end. */
class IdleCopy {
  readonly id;
  readonly progress = new CopyProgress(systemClock);
  readonly fetchLife = { topicId: 'x', leaderEpoch: 3 };
  readonly hasMore = false;
  fetchPosition = end;
  wantsFetch = true;

  constructor(partition: number) {
    this.id = { topic: 't', partition, remoteTopic: 'east.t', slot: 0 };
    this.progress.begin(end);
  }

  get isCurrent(): boolean {
    return this.progress.isEndKnown;
  }

  releaseHold(): void {
    return;
  }

  onFetched({ lastStableOffset }: FetchedPartition): undefined {
    this.progress.setSourceEnd(Number(lastStableOffset));
  }

  onUnchanged(): void {
    this.progress.confirmSourceEnd();
  }

  get copy(): PartitionCopy {
    // What a reader uses of it.
    return this as unknown as PartitionCopy;
  }
}

for (const pauseMs of [0, 100]) {
  test(`copied anew from where it was (after ${pauseMs} ms), it is told where the source ends`, async () => {
    const source = new IdleSource();
    const reader = readerOf(source);
    const stop = new AbortController();
    const done = reader.run(stop.signal);
    const first = new IdleCopy(0);
    reader.add(first.copy);
    await until('a session', () => source.requests.at(-1)?.onlyChanges === true);
    reader.remove(first.copy);
    await sleep(pauseMs);
    const second = new IdleCopy(0);
    reader.add(second.copy);
    await until('its end', () => second.progress.sourceEnd === end);
    await until('a session again', () => source.requests.at(-1)?.onlyChanges === true);
    stop.abort();
    await done;
  });
}

test('what was given up while the connection was being opened is not asked for', async () => {
  const source = new IdleSource();
  source.openMs = 50;
  const reader = readerOf(source);
  const stop = new AbortController();
  const done = reader.run(stop.signal);
  const [kept, lost] = [new IdleCopy(0), new IdleCopy(1)];
  reader.add(kept.copy);
  reader.add(lost.copy);
  await sleep(10);
  lost.fetchPosition = -1;
  lost.wantsFetch = false;
  await until('a fetch', () => source.requests.length > 0);
  stop.abort();
  await done;
  for (const { partitions } of source.requests) {
    assert.deepEqual(
      partitions.map(({ partition }) => partition),
      [0],
    );
  }
});

test('one broker that fails is told though another answers, until it leads nothing', async () => {
  const source = new IdleSource();
  source.dead.add(2);
  const moves: Moves = { leader: (_topic, partition) => partition + 1, tell: () => undefined };
  const reader = readerOf(source, moves);
  const stop = new AbortController();
  const done = reader.run(stop.signal);
  for (const partition of [0, 1]) reader.add(new IdleCopy(partition).copy);
  await until('the failure', () => reader.why !== undefined);
  const fetches = source.requests.length;
  await until('the other to be fetched', () => source.requests.length > fetches + 2);
  assert.equal(reader.why, 'no answer from 2');
  moves.leader = () => 1;
  moves.tell();
  assert.equal(reader.why, undefined);
  const opened = source.opened.filter((id) => id === 2).length;
  await sleep(600);
  assert.equal(source.opened.filter((id) => id === 2).length, opened, 'it is not tried any more');
  moves.leader = () => 3;
  moves.tell();
  await until('the former leader to be left', () => source.closed.includes(1));
  await until('the new one to be asked', () => source.opened.includes(3));
  stop.abort();
  await done;
});

test('an end that was known before copying began anew is not confirmed', () => {
  let nowMs = 1;
  const progress = new CopyProgress({ ...systemClock, nowMs: () => nowMs });
  progress.begin(0);
  progress.setSourceEnd(7);
  nowMs = 2;
  progress.confirmSourceEnd();
  assert.equal(progress.status().sourceEndAsOfMs, 2);
  progress.begin(5);
  nowMs = 3;
  progress.confirmSourceEnd();
  assert.deepEqual([progress.isEndKnown, progress.status().sourceEndAsOfMs], [false, 2]);
});
