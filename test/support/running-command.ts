/** The built command line, going on in the background; none outlives the test process. */
import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { until } from './until.ts';

const cli = path.join(path.dirname(path.dirname(import.meta.dirname)), 'bin', 'causeway');
const children = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export class RunningCommand {
  /** What it has said so far, on both streams. */
  text = '';
  readonly code: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[]) {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    children.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => (this.text += part));
    }
    this.code = new Promise((resolve) => {
      child.on('close', (code) => {
        children.delete(child);
        resolve(code);
      });
    });
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async says(what: RegExp): Promise<void> {
    await until(`the command to say ${what}`, () => what.test(this.text)).catch(
      (cause: unknown) => {
        throw new Error(`it said ${this.text}`, { cause });
      },
    );
  }
}
