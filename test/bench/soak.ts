/**
 * Load for long: whether an agent's memory stays as it is. Batches of several codecs come at an
 * even rate; old ones are swept away at both sites, so that disks hold out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBatch } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { usageOf } from './process-usage.ts';
import { causeway } from './replicators.ts';
import { table } from './report.ts';
import { say } from '../support/say.ts';
import type { Stage } from './stage.ts';
import { writeSteadily } from './steady-load.ts';

export interface SoakPlan {
  readonly minutes: number;
  /** Records a second. */
  readonly rate: number;
  readonly bytesPerRecord: number;
  readonly codecs: readonly Codec[];
  readonly partitions: number;
}

interface Sample {
  readonly minute: number;
  readonly rssMb: number;
  readonly cpuSeconds: number;
  readonly blockMs: number;
  readonly behind: number;
}

const topic = 'load-soak';
const recordsPerBatch = 100;
const variants = 8;
const minutesPerRow = 10;
const retention = { 'retention.bytes': '134217728', 'segment.bytes': '33554432' };
const catchUpMsMax = 60_000;

export async function soak(stage: Stage, plan: SoakPlan): Promise<string> {
  await stage.makeTopic(topic, plan.partitions, retention);
  const running = await causeway().start(stage);
  const ended = new AbortController();
  const batches = someBatches(plan);
  let at = 0;
  const nextBatch = (): Buffer => {
    at += 1;
    return batches[at % batches.length] ?? Buffer.alloc(0);
  };
  const { partitions } = plan;
  const batchesPerSecond = plan.rate / recordsPerBatch;
  const load = { topic, partitions, batchesPerSecond, nextBatch };
  const writing = writeSteadily(stage.east, load, ended.signal);
  const samples: Sample[] = [];
  try {
    for (let minute = 1; minute <= plan.minutes; minute += 1) {
      await Promise.race([writing, sleep(60_000)]);
      const { rssMb, cpuSeconds } = usageOf(running.pid);
      const blockMs = (await running.blockMs?.()) ?? NaN;
      const behind = Math.max(0, await behindBy(stage, partitions));
      samples.push({ minute, rssMb, cpuSeconds, blockMs, behind });
      say(`  minute ${minute}: RSS ${rssMb.toFixed(0)} MB, ${behind} records behind`);
    }
    ended.abort();
    const written = (await writing) * recordsPerBatch;
    await caughtUp(stage, partitions);
    const { rssPeakMb } = usageOf(running.pid);
    const text = `${written.toLocaleString('en')} records of ${plan.bytesPerRecord} B in`;
    const shape = `${plan.codecs.join(', ')}, ${partitions} partitions`;
    return `${text} ${shape}; all copied; RSS ${rssPeakMb.toFixed(0)} MB at most\n\n${rows(samples)}`;
  } finally {
    ended.abort();
    await writing.catch(() => undefined);
    await running.stop();
  }
}

/** Text as it is: not the same in any two records, and not without repetition either. */
function someBatches({ bytesPerRecord, codecs }: SoakPlan): Buffer[] {
  const words = Array.from({ length: 400 }, () => Math.random().toString(36).slice(2, 10));
  const value = (): Buffer => {
    let text = '';
    while (text.length < bytesPerRecord) {
      text += `${words[Math.floor(Math.random() * words.length)] ?? ''} `;
    }
    return Buffer.from(text.slice(0, bytesPerRecord));
  };
  return Array.from({ length: variants }).flatMap(() =>
    codecs.map((codec) => {
      const records = Array.from({ length: recordsPerBatch }, () => {
        return { key: null, value: value(), timestampMs: Date.now() };
      });
      return encodeBatch(records, { codec });
    }),
  );
}

/** One marker of the takeover stands in each partition at the target. */
async function behindBy(stage: Stage, partitions: number): Promise<number> {
  const source = await stage.end('east', topic);
  return source + partitions - (await stage.end('west', `east.${topic}`));
}

async function caughtUp(stage: Stage, partitions: number): Promise<void> {
  const deadline = performance.now() + catchUpMsMax;
  for (;;) {
    const behind = await behindBy(stage, partitions);
    if (behind === 0) return;
    if (performance.now() > deadline) throw new Error(`${behind} records are not copied`);
    await sleep(200);
  }
}

function rows(samples: readonly Sample[]): string {
  const body: string[][] = [];
  let cpuBefore = 0;
  for (let at = 0; at < samples.length; at += minutesPerRow) {
    const part = samples.slice(at, at + minutesPerRow);
    const rss = part.map(({ rssMb }) => rssMb);
    const cpuSeconds = part.at(-1)?.cpuSeconds ?? NaN;
    body.push([
      `${part[0]?.minute ?? ''}-${part.at(-1)?.minute ?? ''}`,
      (rss.reduce((sum, one) => sum + one, 0) / rss.length).toFixed(0),
      Math.max(...rss).toFixed(0),
      (((cpuSeconds - cpuBefore) / (part.length * 60)) * 100).toFixed(1),
      Math.max(...part.map(({ blockMs }) => blockMs)).toFixed(0),
      Math.max(...part.map(({ behind }) => behind)).toLocaleString('en'),
    ]);
    cpuBefore = cpuSeconds;
  }
  const rss = ['RSS, MB: mean', 'at most'];
  const rest = ['CPU of a core, %', 'longest block, ms', 'records behind, at most'];
  return table(['minutes', ...rss, ...rest], body);
}
