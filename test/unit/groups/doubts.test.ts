import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { Doubts } from '../../../src/groups/doubts.ts';
import { testDeps } from '../../support/deps.ts';
import { until } from '../../support/until.ts';

test('a ledger that is not heard leaves it open whose commit it is', async () => {
  const answers: (() => void)[] = [];
  const again: (() => void)[] = [];
  const settled: string[] = [];
  const after = (_ms: number, call: () => void): (() => void) => {
    again.push(call);
    return () => undefined;
  };
  let isHeard = false;
  const settle = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const wasHeard = isHeard;
      answers.push(() => (wasHeard ? resolve() : reject(new Error('not in time'))));
    });
  const tell = (group: string, keys: ReadonlySet<string>): void => {
    settled.push(`${group} ${[...keys].join()}`);
  };
  const deps = { ...testDeps(), clock: { ...systemClock, after } };
  const doubts = new Doubts(settle, tell, deps);
  doubts.add('billing', 'orders/0');
  doubts.add('billing', 'orders/1');
  answers.shift()?.();
  await until('it to be tried later', () => again.length === 1);
  assert.deepEqual(settled, []);
  doubts.add('audit', 'orders/0');
  isHeard = true;
  again.shift()?.();
  doubts.add('billing', 'orders/2');
  answers.shift()?.();
  await until('what was held', () => settled.length === 2);
  assert.deepEqual(settled, ['billing orders/1,orders/0', 'audit orders/0']);
  answers.shift()?.();
  await until('what came meanwhile', () => settled.length === 3);
  assert.deepEqual(settled[2], 'billing orders/2');
});
