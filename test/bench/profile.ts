/** Where the CPU of an agent goes while it copies: node's sampling profiler over one run. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { causeway } from './replicators.ts';
import { table } from './report.ts';
import type { Load, Stage } from './stage.ts';
import { measure, perCpuSecond } from './throughput.ts';

const rowsShown = 30;

/** The parts of V8's format that are read. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export async function profile(stage: Stage, load: Load, flow?: string): Promise<string> {
  const dir = path.join(stage.dir, 'profile');
  mkdirSync(dir);
  await stage.load(load);
  const nodeArgs = ['--cpu-prof', '--cpu-prof-dir', dir];
  const replicator = causeway({ nodeArgs, ...(flow === undefined ? {} : { flow }) });
  const measured = await measure(stage, replicator, load);
  const found = profileIn(dir);
  const rate = Math.round(perCpuSecond(measured)).toLocaleString('en');
  return `${rate} records per CPU-second under the profiler\n\n${hottest(found)}`;
}

/** What node's profiler wrote there of one process. */
export function profileIn(dir: string): CpuProfile {
  const [file] = readdirSync(dir);
  if (file === undefined) throw new Error(`no profile in ${dir}`);
  // Written by node itself.
  return JSON.parse(readFileSync(path.join(dir, file), 'utf8')) as CpuProfile;
}

/** What falls between two times, in seconds since it began. */
export function profileBetween(whole: CpuProfile, from: number, to: number): CpuProfile {
  let us = 0;
  const isIn = whole.timeDeltas.map((delta) => {
    us += delta;
    return us >= from * 1e6 && us < to * 1e6;
  });
  const samples = whole.samples.filter((_, at) => isIn[at]);
  return { ...whole, samples, timeDeltas: whole.timeDeltas.filter((_, at) => isIn[at]) };
}

/** Own time of each function, without what the process waited. */
export function hottest({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => {
      const file = url.split('/').slice(-2).join('/');
      return [id, `${functionName === '' ? 'anonymous' : functionName} ${file}`.trim()];
    }),
  );
  const spent = new Map<string, number>();
  samples.forEach((id, at) => {
    const name = names.get(id) ?? '?';
    if (name !== '(idle)') spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[at] ?? 0));
  });
  const total = [...spent.values()].reduce((sum, us) => sum + us, 0);
  const rows = [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, rowsShown)
    .map(([name, us]) => [`${((100 * us) / total).toFixed(1)} %`, (us / 1e6).toFixed(2), name]);
  return table(['share', 'seconds', 'function'], rows);
}
