import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteBudget } from '../../../src/flow/byte-budget.ts';

test('who waits for room goes on when it is given back', async () => {
  const budget = new ByteBudget(100);
  budget.take(120);
  let hasRoom = false;
  const waiting = budget.room(new AbortController().signal).then(() => {
    hasRoom = true;
  });
  budget.give(10);
  await Promise.resolve();
  assert.equal(hasRoom, false);
  budget.give(30);
  await waiting;
  assert.equal(budget.used, 80);
});

test('an abort ends the waiting', async () => {
  const budget = new ByteBudget(1);
  budget.take(1);
  const controller = new AbortController();
  const waiting = budget.room(controller.signal);
  controller.abort();
  await waiting;
});
