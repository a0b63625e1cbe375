/**
 * Runs the tests: those named, else all under test/. One `node --test` with TAP output, so that the
 * last lines are its own summary.
 */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const testTimeoutMs = 120_000;

async function allTests(): Promise<string[]> {
  const names = await readdir(path.join(root, 'test'), { recursive: true });
  return names
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join('test', name))
    .sort();
}

const named = process.argv.slice(2);
const files = named.length > 0 ? named : await allTests();
const flags = ['--import', 'tsx', '--test', '--test-reporter=tap', '--test-concurrency=2'];
const child = spawn(process.execPath, [...flags, `--test-timeout=${testTimeoutMs}`, ...files], {
  cwd: root,
  stdio: 'inherit',
});
child.on('exit', (code, signal) => {
  if (signal !== null) process.stderr.write(`the test runner was ended by ${signal}\n`);
  process.exitCode = code ?? 1;
});
