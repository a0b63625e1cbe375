/**
 * A process that may outlive us, known by its pid and the moment it started: a pid that the system
 * has given to somebody else since is never taken for ours, and never signalled.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';

export interface ProcessRef {
  readonly pid: number;
  /** Opaque: equal for the same process only. */
  readonly startedAt: string;
}

export type ProcessState = 'running' | 'frozen' | 'gone';

const pollMs = 20;

interface Seen {
  readonly startedAt: string;
  readonly state: ProcessState;
}

/** undefined when there is no such process. */
export function processRef(pid: number): ProcessRef | undefined {
  const seen = look(pid);
  return seen === undefined || seen.state === 'gone'
    ? undefined
    : { pid, startedAt: seen.startedAt };
}

export function processState(ref: ProcessRef): ProcessState {
  const seen = look(ref.pid);
  return seen?.startedAt === ref.startedAt ? seen.state : 'gone';
}

/** False when the process is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (processState(ref) === 'gone') return false;
  try {
    process.kill(ref.pid, signal);
    return true;
  } catch {
    return false; // It ended in between, or is not ours to signal.
  }
}

/** A signal takes effect a moment later. False when time is up first. */
export async function waitUntilNot(
  state: ProcessState,
  ref: ProcessRef,
  ms: number,
  clock: Clock,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + ms;
  while (processState(ref) === state) {
    if (clock.monotonicMs() > deadline) return false;
    await clock.sleep(pollMs);
  }
  return true;
}

async function waitUntilGone(ref: ProcessRef, ms: number, clock: Clock): Promise<boolean> {
  const deadline = clock.monotonicMs() + ms;
  while (processState(ref) !== 'gone') {
    if (clock.monotonicMs() > deadline) return false;
    await clock.sleep(pollMs);
  }
  return true;
}

/** Asks it to end, also when it is frozen, and kills it when it has not after `graceMs`. */
export async function stopProcess(ref: ProcessRef, graceMs: number, clock: Clock): Promise<void> {
  signalProcess(ref, 'SIGTERM');
  signalProcess(ref, 'SIGCONT');
  if (await waitUntilGone(ref, graceMs, clock)) return;
  await killProcess(ref, clock);
}

export async function killProcess(ref: ProcessRef, clock: Clock): Promise<void> {
  signalProcess(ref, 'SIGKILL');
  await waitUntilGone(ref, 10_000, clock);
}

function look(pid: number): Seen | undefined {
  return process.platform === 'linux' ? lookInProc(pid) : askPs(pid);
}

function lookInProc(pid: number): Seen | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may itself hold spaces and
    // brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields[19] ?? '';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { startedAt: `${boot}:${ticks}`, state: stateOf(fields[0] ?? '') };
  } catch {
    return undefined;
  }
}

function askPs(pid: number): Seen | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  const [, letters, startedAt] = /^\s*(\S+)\s+(.+?)\s*$/.exec(stdout) ?? [];
  if (letters === undefined || startedAt === undefined) return undefined;
  return { startedAt, state: stateOf(letters) };
}

/** A zombie is gone: only its parent has not noticed yet. */
function stateOf(letters: string): ProcessState {
  if (/^[ZX]/.test(letters)) return 'gone';
  return letters.startsWith('T') ? 'frozen' : 'running';
}
