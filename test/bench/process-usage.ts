/** What a process has used, as Linux counts it: CPU seconds of all its threads, and memory. */
import { readFileSync } from 'node:fs';

/** Linux reports times in hundredths of a second, whatever the kernel's own tick. */
const ticksPerSecond = 100;

export interface Usage {
  /** user + system, of all threads, since the process began. */
  readonly cpuSeconds: number;
  /** Resident memory, now and at its highest. */
  readonly rssMb: number;
  readonly rssPeakMb: number;
}

export function usageOf(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the name, in parentheses, and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return {
    cpuSeconds: ticks / ticksPerSecond,
    rssMb: megabytes('VmRSS'),
    rssPeakMb: megabytes('VmHWM'),
  };
}
