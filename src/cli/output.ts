/**
 * `-o table|json`: commands build an answer; what it looks like is decided here and in `print/`.
 */
import { Option, type Command } from 'commander';
import type { CliIo } from './io.ts';

export type OutputFormat = 'table' | 'json';

export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'table for people, json for scripts')
      .choices(['table', 'json'])
      .default('table'),
  );
}

export function print<T>(
  io: CliIo,
  format: OutputFormat,
  answer: T,
  table: (answer: T) => string,
): void {
  io.out(format === 'json' ? `${JSON.stringify(answer, null, 1)}\n` : table(answer));
}
