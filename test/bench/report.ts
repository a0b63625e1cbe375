/** Figures as tables, on the terminal and in docs/benchmarks.md, each with how it was made. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { IdleFigures } from './idle.ts';
import { perCpuSecond, perSecond, type Measured } from './throughput.ts';

const file = path.join(import.meta.dirname, '..', '..', 'docs', 'benchmarks.md');

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
  return { median, min: sorted[0] ?? NaN, max: sorted.at(-1) ?? NaN };
}

/** `1,204 (1,100-1,310)` */
export function spreadText(values: readonly number[], digits = 0): string {
  const { median, min, max } = spread(values);
  const text = (value: number): string =>
    value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
  if (values.length === 0) return '';
  return values.length === 1 ? text(median) : `${text(median)} (${text(min)}-${text(max)})`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Rows per load and replicator; ratios against the reference, round by round. */
export function throughputTable(all: readonly Measured[], reference: string): string {
  const loads = [...new Set(all.map(({ load }) => load))];
  const rows = loads.flatMap((load) => {
    const names = new Set(all.filter((one) => one.load === load).map((one) => one.replicator));
    return [...names].map((name) => {
      const own = all.filter((one) => one.load === load && one.replicator === name);
      const other = all.filter((one) => one.load === load && one.replicator === reference);
      const ratios = (rate: (one: Measured) => number): string =>
        name === reference || other.length === 0
          ? ''
          : `${spreadText(
              own.flatMap((one, run) => {
                const base = other[run];
                return base === undefined ? [] : [rate(one) / rate(base)];
              }),
              1,
            )} x`;
      return [
        loadWords(load),
        name,
        spreadText(own.map(perCpuSecond)),
        ratios(perCpuSecond),
        spreadText(own.map(perSecond)),
        ratios(perSecond),
        spreadText(own.map(({ rssPeakMb }) => rssPeakMb)),
        spreadText(own.flatMap(({ blockMs }) => blockMs ?? [])),
      ];
    });
  });
  const rates = ['rec per CPU-s', 'ratio', 'rec/s', 'ratio'];
  const head = ['work', 'replicator', ...rates, 'peak RSS, MB', 'longest block, ms'];
  return table(head, rows);
}

/** An agent a row. */
export function idleTable(all: readonly IdleFigures[]): string {
  const rows = all.map((one) => [
    one.agent,
    `${one.flows} x ${one.partitions.toLocaleString('en')} partitions`,
    `${one.cpuPercent.toFixed(1)} %`,
    one.rssMb.toFixed(0),
    one.startSeconds.toFixed(1),
    one.startCpuSeconds.toFixed(1),
  ]);
  const head = ['agent', 'flows', 'CPU of a core', 'RSS, MB', 'all copied, s', 'CPU until then, s'];
  return table(head, rows);
}

function loadWords(load: Measured['load']): string {
  const { records, bytesPerRecord, codec, partitions, recordsPerBatch, batchBytes } = load;
  const text = `${records.toLocaleString('en')} x ${bytesPerRecord} B, ${codec}`;
  const batches =
    recordsPerBatch === undefined
      ? `, batches of ${batchBytes / 1024} KiB`
      : `, ${recordsPerBatch} a batch`;
  return `${text}, ${partitions} partitions${batches}`;
}

export function machine(): string {
  const cpu = os.cpus()[0]?.model ?? 'unknown CPU';
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${os.cpus().length} x ${cpu}, ${memory} GiB, Linux ${os.release()}, Node ${process.versions.node}`;
}

/** Replaces what stands between the section's marks, or shows it when it is not to be written. */
export function publish(section: string, body: string, isWritten: boolean): void {
  process.stdout.write(`${body}\n`);
  if (!isWritten) return;
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`;
  const date = new Date().toISOString().slice(0, 10);
  const made = `${date}, ${machine()}. \`${command}\``;
  const [from, to] = [`<!-- ${section} -->`, `<!-- end ${section} -->`];
  const text = readFileSync(file, 'utf8');
  const start = text.indexOf(from);
  const end = text.indexOf(to);
  if (start < 0 || end < start) throw new Error(`${file}: no section between ${from} and ${to}`);
  const fresh = `${from}\n\n${made}\n\n${body}\n\n${to}`;
  writeFileSync(file, text.slice(0, start) + fresh + text.slice(end + to.length));
}
