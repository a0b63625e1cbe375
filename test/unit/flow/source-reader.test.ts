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

  async open(): Promise<BrokerLink> {
    await sleep(this.openMs);
    const link = { brokerId: 1, isOpen: true, fetch: (one: FetchRequest) => this.fetch(one) };
    // Nothing else of it is used.
    return { ...link, [Symbol.asyncDispose]: () => Promise.resolve() } as unknown as BrokerLink;
  }
}

function readerOf(source: IdleSource): SourceReader {
  const never = (): (() => void) => () => undefined;
  const context = {
    deps: { clock: systemClock, log: silentLog },
    settings: { id: 'east->west', from: 'east', to: 'west' },
    timings: { fetchWaitMs: 50 },
    source: { leader: () => 1, onChange: never, cluster: { openLink: () => source.open() } },
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
