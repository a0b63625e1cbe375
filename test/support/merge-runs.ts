/**
 * Several runs of node's test runner as one: their events one after the other, top-level tests
 * numbered through, and at the end one summary whose numbers are the sums.
 */
import type { run } from 'node:test';

type TestsStream = ReturnType<typeof run>;
type TestEvent = { type: string; data: Record<string, unknown> };

export interface Outcome {
  tests: number;
  pass: number;
  fail: number;
  cancelled: number;
  skipped: number;
  todo: number;
}

/** Where the summary line of a count is among node's own. */
const summary = ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'];

export async function* mergeRuns(
  runs: AsyncIterable<TestsStream>,
  outcome: Outcome,
): AsyncGenerator<TestEvent> {
  const sums = new Map(summary.map((name) => [name, 0]));
  let topLevel = 0;
  for await (const stream of runs) {
    for await (const event of stream as AsyncIterable<TestEvent>) {
      const { type, data } = event;
      if (type === 'test:summary') continue;
      if (data['nesting'] !== 0) {
        yield event;
        continue;
      }
      if (type === 'test:plan') continue;
      const count = type === 'test:diagnostic' ? countOf(String(data['message'])) : undefined;
      if (count !== undefined) {
        sums.set(count.name, (sums.get(count.name) ?? 0) + count.value);
        continue;
      }
      if (type !== 'test:pass' && type !== 'test:fail') yield event;
      else yield { type, data: { ...data, testNumber: (topLevel += 1) } };
    }
  }
  yield { type: 'test:plan', data: { nesting: 0, count: topLevel } };
  for (const [name, value] of sums) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${value}` } };
    if (name in outcome) outcome[name as keyof Outcome] = value;
  }
}

function countOf(message: string): { name: string; value: number } | undefined {
  const [, name, value] = /^(\w+) ([\d.]+)$/.exec(message) ?? [];
  if (name === undefined || !summary.includes(name)) return undefined;
  return { name, value: Number(value) };
}
