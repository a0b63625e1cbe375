/** The outside world of a command that a test runs in its own process. */
import { systemClock } from '../../src/base/clock.ts';
import type { CliIo } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/run-cli.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** @param onSignal is given what sends the command a signal */
export async function runCommand(
  args: readonly string[],
  onSignal?: (send: () => void) => void,
): Promise<Ran> {
  let out = '';
  let err = '';
  const io: CliIo = {
    out: (text) => (out += text),
    err: (text) => (err += text),
    isTerminal: false,
    env: {},
    cwd: process.cwd(),
    clock: systemClock,
    user: 'ann',
    exitNow: () => undefined,
    onSignal: (listener) => {
      onSignal?.(() => listener('SIGTERM'));
      return () => undefined;
    },
  };
  const code = await runCli(io, args);
  return { code, out, err };
}
