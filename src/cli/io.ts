/** The outside world of a command: what it may read and write. A test hands in its own. */
import type { Clock } from '../base/clock.ts';

export interface CliIo {
  /** Answers: to stdout. */
  out(text: string): void;
  /** Progress and errors: to stderr. */
  err(text: string): void;
  /** Someone watches: progress may be drawn. */
  readonly isTerminal: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** The name of the person who runs the command, for what is written down. */
  readonly user: string;
  /** Ends the process at once: for whoever has been told to stop a second time. */
  readonly exitNow: (code: number) => void;
  /** SIGINT and SIGTERM, each time; the function returned stops it. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): () => void;
}

/** Set by a command whose answer is that a condition is not met. */
export class ExitCode {
  value = 0;
}

export const exitCodes = { ok: 0, failed: 1, usage: 2, condition: 3 } as const;
