/** What the scheduler of Linux says of the threads of this process; elsewhere nothing. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

/** In milliseconds, since the process began. */
export interface ThreadTimes {
  /** On a CPU, and in wait for one. */
  readonly ranMs: number;
  readonly waitedMs: number;
}

export interface ThreadClock {
  readonly main: () => ThreadTimes;
  /** Of every other thread: in wait for a CPU, ms. Ten times the price of the main thread. */
  readonly helpersWaitedMs: () => readonly number[];
  /** Takes up threads that have begun since. What helpers waited before it cannot be compared. */
  readonly refresh: () => void;
  readonly close: () => void;
}

export function openThreadTimes(): ThreadClock {
  const text = Buffer.alloc(128);
  let files: number[] = [];
  const close = (): void => {
    for (const file of files) closeSync(file);
    files = [];
  };
  const refresh = (): void => {
    close();
    files = mainFirst().flatMap(openTimes);
  };
  // Nanoseconds on a CPU, nanoseconds in wait for one, and a count.
  const times = (file: number): readonly [ranMs: number, waitedMs: number] => {
    try {
      const length = readSync(file, text, 0, text.length, 0);
      const [ranNs, waitedNs] = text.toString('latin1', 0, length).split(' ');
      return [Number(ranNs) / 1e6, Number(waitedNs) / 1e6];
    } catch {
      return [0, 0]; // The thread has ended.
    }
  };
  const main = (): ThreadTimes => {
    const [file] = files;
    const [ranMs, waitedMs] = file === undefined ? [0, 0] : times(file);
    return { ranMs, waitedMs };
  };
  const helpersWaitedMs = (): number[] => files.slice(1).map((file) => times(file)[1]);
  refresh();
  return { main, helpersWaitedMs, refresh, close };
}

/** The threads of this process; the main one has its number. */
function mainFirst(): string[] {
  const main = String(process.pid);
  try {
    const threads = readdirSync('/proc/self/task');
    return [main, ...threads.filter((thread) => thread !== main)];
  } catch {
    return [];
  }
}

function openTimes(thread: string): number[] {
  try {
    return [openSync(`/proc/self/task/${thread}/schedstat`, 'r')];
  } catch {
    return []; // It has ended meanwhile, or nothing is kept of it.
  }
}
