import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { runClient } from '../../support/tools.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const temp = mkdtempSync(path.join(os.tmpdir(), 'causeway-run-'));
after(() => rmSync(temp, { recursive: true }));

/** `npm test` with files that need no Kafka; a runner started by a runner must not know of it. */
async function runTests(...bodies: string[]): Promise<{ code: number; lines: readonly string[] }> {
  const files = bodies.map((body, at) => {
    const file = path.join(temp, `${at}.test.mjs`);
    writeFileSync(file, `import { test } from 'node:test';\n${body}\n`);
    return file;
  });
  const args = ['--import', 'tsx', path.join(root, 'test', 'run.ts'), ...files];
  const clean = ['-u', 'NODE_TEST_CONTEXT', process.execPath, ...args];
  return runClient('/usr/bin/env', clean);
}

const countOf = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.startsWith(`# ${name} `)).map((line) => line.slice(name.length + 3));

const passes = (name: string): string => `test('${name}', () => {});`;

test('good files: one plan, one summary, at the end', async () => {
  const { code, lines } = await runTests(passes('a') + passes('b'), passes('c'));
  assert.equal(code, 0, lines.join('\n'));
  assert.deepEqual([countOf(lines, 'pass'), countOf(lines, 'fail')], [['3'], ['0']]);
  assert.deepEqual(
    lines.filter((line) => /^1\.\./.test(line)),
    ['1..3'],
  );
  const numbers = lines.flatMap((line) => /^ok (\d+)/.exec(line)?.[1] ?? []);
  assert.deepEqual(numbers, ['1', '2', '3']);
  assert.match(lines.at(-1) ?? '', /^# duration_ms/);
});

for (const [what, body] of [
  ['a failing test', "test('a', () => { throw new Error('no'); });"],
  ['a skipped test', "test('a', { skip: true }, () => {});"],
  ['a test left to do', "test('a', { todo: true }, () => {});"],
  ['a file that cannot be loaded', 'syntax error'],
  ['a file that ends by itself', 'process.exit(3);'],
] as const) {
  test(`${what} fails the run`, async () => {
    const { code, lines } = await runTests(passes('good'), body);
    assert.equal(code, 1, lines.join('\n'));
    assert.deepEqual(countOf(lines, 'pass'), ['1']);
  });
}
