import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scope } from '../../../src/base/scope.ts';

test('closes in reverse order, once', async () => {
  const closed: string[] = [];
  const scope = new Scope();
  scope.defer(() => void closed.push('first'));
  scope.defer(() => void closed.push('second'));
  await Promise.all([scope[Symbol.asyncDispose](), scope[Symbol.asyncDispose]()]);
  assert.deepEqual(closed, ['second', 'first']);
});

test('a build that fails half-way closes what it had opened', async () => {
  const closed: string[] = [];
  const building = Scope.build((scope) => {
    scope.defer(() => void closed.push('opened'));
    return Promise.reject(new Error('half-way'));
  });
  await assert.rejects(building, /half-way/);
  assert.deepEqual(closed, ['opened']);
});

test('a failing disposer does not keep the others from running', async () => {
  const closed: string[] = [];
  const scope = new Scope();
  scope.defer(() => void closed.push('first'));
  scope.defer(() => {
    throw new Error('stuck');
  });
  await assert.rejects(async () => scope[Symbol.asyncDispose](), /stuck/);
  assert.deepEqual(closed, ['first']);
});

test('closing aborts the signal before it waits for a loop', async () => {
  const scope = new Scope();
  const ended = new Promise<void>((resolve) => {
    scope.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  scope.run(ended);
  await scope[Symbol.asyncDispose]();
  assert.equal(scope.signal.aborted, true);
});
