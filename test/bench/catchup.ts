/**
 * Catching up over a long link: a backlog is copied through a proxy that delays and caps, while a
 * topic without backlog is written to, whose records must not wait for the others.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBatch } from '../../src/records/build-batch.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';
import { usageOf } from './process-usage.ts';
import { causeway } from './replicators.ts';
import { spreadText, table } from './report.ts';
import { say } from '../support/say.ts';
import type { Load, Stage } from './stage.ts';

export interface CatchupPlan {
  readonly load: Load;
  readonly roundTripMs: number;
  /** MB, of a million bytes, a second; one after the other. */
  readonly caps: readonly number[];
  readonly runs: number;
}

interface Caught {
  readonly megabytesPerSecond: number;
  /** Of the records of the other topic, from writing them to their being at the target. */
  readonly delaysMs: readonly number[];
  readonly rssPeakMb: number;
}

const runMsMax = 500_000;
const pollMs = 20;
const freshEveryMs = 500;
const freshTopic = 'load-fresh';

export async function catchup(stage: Stage, proxy: TcpProxy, plan: CatchupPlan): Promise<string> {
  await stage.load(plan.load);
  proxy.setLatencyMs(plan.roundTripMs / 2);
  const rows: string[][] = [];
  for (const cap of plan.caps) {
    const found: Caught[] = [];
    for (let run = 1; run <= plan.runs; run += 1) {
      proxy.setBytesPerSecond(cap * 1e6);
      const one = await catchUp(stage, proxy, plan.load);
      say(`  ${cap} MB/s, run ${run}: ${row(plan, cap, [one]).join(', ')}`);
      found.push(one);
    }
    rows.push(row(plan, cap, found));
  }
  const delays = ['other topic, ms: median', 'at most'];
  return table(['link', 'MB/s', 'of the link', ...delays, 'peak RSS, MB'], rows);
}

function row({ roundTripMs }: CatchupPlan, cap: number, found: readonly Caught[]): string[] {
  const rates = found.map(({ megabytesPerSecond }) => megabytesPerSecond);
  const delays = found.flatMap(({ delaysMs }) => delaysMs);
  return [
    `${cap} MB/s, round trip ${roundTripMs} ms`,
    spreadText(rates, 1),
    `${spreadText(rates.map((rate) => (100 * rate) / cap))} %`,
    spreadText(delays).split(' ')[0] ?? '',
    Math.max(0, ...delays).toFixed(0),
    spreadText(found.map(({ rssPeakMb }) => rssPeakMb)),
  ];
}

async function catchUp(stage: Stage, proxy: TcpProxy, load: Load): Promise<Caught> {
  await stage.clean([load.topic]);
  await stage.makeTopic(freshTopic, 1);
  const running = await causeway({ east: proxy.address }).start(stage);
  const ended = new AbortController();
  const fresh = writeFresh(stage, ended.signal);
  try {
    const deadline = performance.now() + runMsMax;
    // A takeover leaves one marker in each partition before the first record.
    const wanted = load.records + load.partitions;
    let first: { records: number; atMs: number } | undefined;
    for (;;) {
      const records = await stage.end('west', `east.${load.topic}`);
      const atMs = performance.now();
      if (records > load.partitions) first ??= { records, atMs };
      if (first !== undefined && records >= wanted) {
        const bytes = (records - first.records) * load.bytesPerRecord;
        const { rssPeakMb } = usageOf(running.pid);
        ended.abort();
        const delaysMs = await fresh;
        return { megabytesPerSecond: bytes / (atMs - first.atMs) / 1_000, delaysMs, rssPeakMb };
      }
      if (atMs > deadline) throw new Error(`${records} of ${wanted} records in time`);
      await sleep(pollMs);
    }
  } finally {
    ended.abort();
    await fresh.catch(() => undefined);
    await running.stop();
  }
}

/** One record now and then, from the first that came through on; how long each took. */
async function writeFresh(stage: Stage, signal: AbortSignal): Promise<number[]> {
  const delaysMs: number[] = [];
  const broker = [...(await stage.east.metadata()).brokers.keys()][0] ?? 0;
  await using link = await stage.east.openLink(broker, 'bench');
  for (let written = 1; !signal.aborted; written += 1) {
    const record = { key: null, value: Buffer.from('fresh'), timestampMs: Date.now() };
    const batch = encodeBatch([record]);
    const startedMs = performance.now();
    const batches = [{ topic: freshTopic, partition: 0, batch }];
    const [answer] = await link.produce({ batches, timeoutMs: 30_000 });
    if (answer?.errorCode !== 0) throw new Error(`${freshTopic}: ${answer?.errorMessage ?? '?'}`);
    const isHere = await arrived(stage, written, signal);
    // The first one waits for the agent to start.
    if (isHere && written > 1) delaysMs.push(performance.now() - startedMs);
    await sleep(freshEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return delaysMs;
}

/** So many records of the other topic are at the target; false when it ended before. */
async function arrived(stage: Stage, records: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    // One marker of the takeover stands before them.
    if ((await stage.end('west', `east.${freshTopic}`)) > records) return true;
    await sleep(pollMs);
  }
  return false;
}
