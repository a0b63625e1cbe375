/** `--report FILE`: what was done, to be filed: Markdown, or JSON when the name ends in `.json`. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage, MeshError } from '../base/errors.ts';
import type { CliIo } from './io.ts';

export interface Report<T> {
  readonly title: string;
  readonly answer: T;
  readonly table: (answer: T) => string;
}

/** @throws MeshError usage when the name is of neither kind: before anything is done */
export function checkReportName(file: string | undefined): void {
  if (file === undefined || /\.(md|json)$/.test(file)) return;
  const found = JSON.stringify(file);
  throw new MeshError('usage', `--report: found ${found}, wanted a name that ends in .md or .json`);
}

/** What was done is done: that it could not be written is told, and fails the command. */
export async function writeReport<T>(
  io: CliIo,
  file: string | undefined,
  { title, answer, table }: Report<T>,
): Promise<void> {
  if (file === undefined) return;
  const asOf = new Date(io.clock.nowMs()).toISOString();
  const head = `# ${title}\n\nWritten ${asOf} by ${io.user}.\n`;
  const markdown = `${head}\n\`\`\`\n${table(answer)}\`\`\`\n`;
  const text = file.endsWith('.json') ? `${JSON.stringify(answer, null, 1)}\n` : markdown;
  try {
    await writeFile(path.resolve(io.cwd, file), text);
  } catch (cause) {
    const why = `it was done, but ${file} cannot be written: ${errorMessage(cause)}`;
    throw new MeshError('usage', why, { cause });
  }
  io.err(`report: ${file}\n`);
}
