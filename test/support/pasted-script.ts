/** What a page of the documentation shows, pasted into a shell as it stands there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { freePorts } from '../../src/sandbox/free-ports.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { testDeps } from './deps.ts';
import { kcat } from './tools.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const msMax = 280_000;

export class PastedPage {
  readonly #dir: string;
  readonly #text: string;

  /** @param heading only what stands below it, up to the next of its kind */
  constructor(page: string, heading?: string) {
    this.#dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-page-'));
    const text = readFileSync(path.join(root, page), 'utf8');
    const part = heading === undefined ? text : text.split(`${heading}\n`)[1]?.split('\n## ')[0];
    this.#text = part ?? '';
    after(async () => {
      const context = { env: process.env, isTied: false, onProgress: () => undefined };
      await findSandbox(path.join(this.#dir, 'mesh'), context, testDeps()).down();
      rmSync(this.#dir, { recursive: true });
    });
  }

  /** What it shows for a shell, but for ports and folder. */
  async script(): Promise<string> {
    const [east = 0, west = 0] = await freePorts(2, systemClock);
    return [...this.#text.matchAll(/^```sh\n([^]*?)^```$/gm)]
      .map(([, block = '']) => block)
      .join('')
      .replaceAll('/tmp/mesh', path.join(this.#dir, 'mesh'))
      .replaceAll('19092', String(east))
      .replaceAll('19192', String(west));
  }

  /** All that it says. In a process group of its own, which does not outlive the test. */
  async paste(script: string): Promise<string> {
    const places = [path.join(root, 'bin'), path.dirname(await kcat()), process.env['PATH']];
    const env = { ...process.env, PATH: places.join(':') };
    const child = spawn('bash', ['-c', script], { cwd: root, env, detached: true });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (part: string) => (text += part));
    }
    const group = child.pid ?? 0;
    const signal = AbortSignal.timeout(msMax);
    const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
    const late = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([ended, late]);
    try {
      process.kill(-group, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
    assert.ok(!signal.aborted, `not done in ${msMax / 1000} s:\n${text}`);
    return text;
  }
}
