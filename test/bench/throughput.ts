/**
 * How fast a backlog is copied, and at what cost. A run begins with the first record at the target,
 * so that starting up does not count, and ends with the last.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { usageOf } from './process-usage.ts';
import type { Replicator } from './replicators.ts';
import { say } from '../support/say.ts';
import type { Load, Stage } from './stage.ts';

export interface Measured {
  readonly replicator: string;
  readonly load: Load;
  readonly records: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssPeakMb: number;
  /** The longest time that its event loop was blocked, since its start, when it has one. */
  readonly blockMs: number | undefined;
}

const runMsMax = 400_000;
const pollMs = 25;

export async function measure(stage: Stage, replicator: Replicator, load: Load): Promise<Measured> {
  await stage.clean([load.topic]);
  const remote = `east.${load.topic}`;
  const running = await replicator.start(stage);
  try {
    const deadline = performance.now() + runMsMax;
    let copied = 0;
    let first: { records: number; atMs: number; cpuSeconds: number } | undefined;
    for (;;) {
      copied = await stage.end('west', remote);
      const used = usageOf(running.pid);
      const atMs = performance.now();
      // A takeover leaves one marker in each partition before the first record.
      const markers = replicator.name.startsWith('MM2') ? 0 : load.partitions;
      if (copied > markers)
        first ??= { records: copied - markers, atMs, cpuSeconds: used.cpuSeconds };
      if (first !== undefined && copied >= load.records + markers) {
        return {
          replicator: replicator.name,
          load,
          records: load.records - first.records,
          seconds: (atMs - first.atMs) / 1000,
          cpuSeconds: used.cpuSeconds - first.cpuSeconds,
          rssPeakMb: used.rssPeakMb,
          blockMs: await running.blockMs?.(),
        };
      }
      if (performance.now() > deadline) {
        throw new Error(
          `${replicator.name}: ${copied} of ${load.records} of ${load.topic} in time`,
        );
      }
      await sleep(pollMs);
    }
  } finally {
    await running.stop();
  }
}

export function perSecond({ records, seconds }: Measured): number {
  return records / seconds;
}

export function perCpuSecond({ records, cpuSeconds }: Measured): number {
  return records / cpuSeconds;
}

export interface ThroughputPlan {
  readonly loads: readonly Load[];
  readonly replicators: readonly Replicator[];
  readonly runs: number;
  /** Called after each run with the copy still there. */
  readonly check?: (stage: Stage, load: Load, replicator: Replicator) => Promise<void>;
}

/** Side by side: each round measures every replicator once, so that a slow minute hits all. */
export async function measureAll(stage: Stage, plan: ThroughputPlan): Promise<Measured[]> {
  const all: Measured[] = [];
  for (const load of plan.loads) {
    await stage.load(load);
    for (let run = 1; run <= plan.runs; run += 1) {
      for (const replicator of plan.replicators) {
        const found = await measure(stage, replicator, load);
        say(`  run ${run}: ${words(found)}`);
        all.push(found);
        await plan.check?.(stage, load, replicator);
      }
    }
    await stage.clean([]);
  }
  return all;
}

function words(found: Measured): string {
  const rate = Math.round(perSecond(found)).toLocaleString('en');
  const cost = Math.round(perCpuSecond(found)).toLocaleString('en');
  const memory = Math.round(found.rssPeakMb);
  const block = found.blockMs === undefined ? '' : `, blocked ${found.blockMs.toFixed(0)} ms`;
  return `${found.replicator}: ${rate} rec/s, ${cost} rec per CPU-s, peak RSS ${memory} MB${block}`;
}
