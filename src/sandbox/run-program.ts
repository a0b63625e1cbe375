/**
 * Runs a program to its end: Maven, apt-get, Kafka's storage tool. Its output is handed on line by
 * line and its last lines are kept for the error message. An abort kills it and waits until it is
 * gone, so that nothing is left running.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { throwIfAborted } from '../base/clock.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ProgramOptions {
  readonly env: Environment;
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
}

export interface ProgramResult {
  /** 0 is success; -1 when it was ended by a signal or could not be started. */
  readonly code: number;
  readonly lastLines: readonly string[];
}

const lastLinesMax = 30;

/** @throws MeshError aborted, once the program is gone */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  if (options.signal !== undefined) throwIfAborted(options.signal);
  const child = spawn(command, args, {
    env: options.env,
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lastLines: string[] = [];
  const onLine = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > lastLinesMax) lastLines.shift();
    options.onLine?.(line);
  };
  createInterface(child.stdout).on('line', onLine);
  createInterface(child.stderr).on('line', onLine);
  const onAbort = (): void => void child.kill('SIGKILL');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const code = await new Promise<number>((resolve) => {
    child.once('close', (found) => resolve(found ?? -1));
    child.once('error', (error) => {
      lastLines.push(error.message);
      resolve(-1);
    });
  });
  options.signal?.removeEventListener('abort', onAbort);
  if (options.signal !== undefined) throwIfAborted(options.signal);
  return { code, lastLines };
}

/** The full path of a program that PATH finds. */
export function findProgram(name: string, env: Environment): string | undefined {
  const folders = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, name)).find(isExecutable);
}

/** The same command, killed by the kernel when this process ends; without setpriv as it is. */
export function tied(
  command: readonly [string, ...string[]],
  env: Environment,
): readonly [string, ...string[]] {
  const setpriv = findProgram('setpriv', env);
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', '--', ...command];
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
