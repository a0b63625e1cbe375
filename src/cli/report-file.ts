/** `--report FILE`: what was done, to be filed: Markdown, or JSON when the name ends in `.json`. */
import { access, constants, open, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage, MeshError } from '../base/errors.ts';
import { exitCodes, type CliIo, type ExitCode } from './io.ts';
import type { OutputFormat } from './output.ts';

export interface Report<T> {
  readonly title: string;
  readonly answer: T;
  readonly table: (answer: T) => string;
}

/**
 * That the file could be written, before anything is done; it is not made yet.
 * @throws MeshError usage
 */
export async function checkReport(io: CliIo, file: string): Promise<void> {
  const found = JSON.stringify(file);
  if (!/\.(md|json)$/.test(file)) {
    throw new MeshError(
      'usage',
      `--report: found ${found}, wanted a name that ends in .md or .json`,
    );
  }
  try {
    await tryToWrite(path.resolve(io.cwd, file));
  } catch (cause) {
    const why = `--report: found ${found}, which cannot be written: ${errorMessage(cause)}`;
    throw new MeshError('usage', `${why}; nothing has been asked for`, { cause });
  }
}

async function tryToWrite(place: string): Promise<void> {
  try {
    await (await open(place, 'r+')).close();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const folder = path.dirname(place);
    if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is not a folder`);
    await access(folder, constants.W_OK | constants.X_OK);
  }
}

export interface ReportOptions {
  readonly output: OutputFormat;
  readonly report?: string;
}

/**
 * What was done is done: that it could not be written is told, the report goes to stdout, and
 * the command fails.
 */
export async function writeReport<T>(
  io: CliIo,
  exit: ExitCode,
  { output, report: file }: ReportOptions,
  { title, answer, table }: Report<T>,
): Promise<void> {
  if (file === undefined) return;
  const asOf = new Date(io.clock.nowMs()).toISOString();
  const head = `# ${title}\n\nWritten ${asOf} by ${io.user}.\n`;
  const markdown = `${head}\n\`\`\`\n${table(answer)}\`\`\`\n`;
  const text = file.endsWith('.json') ? `${JSON.stringify(answer, null, 1)}\n` : markdown;
  try {
    await writeFile(path.resolve(io.cwd, file), text);
    io.err(`report: ${file}\n`);
  } catch (error) {
    // As JSON the answer is the report, and is there already.
    if (output !== 'json') io.out(`\n${text}`);
    const why = `${file} cannot be written: ${errorMessage(error)}`;
    io.err(`causeway: the move IS done; only its report is missing: ${why}\n`);
    io.err('  Do not run it again: the report is on stdout.\n');
    exit.value = exitCodes.failed;
  }
}
