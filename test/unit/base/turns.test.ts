import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn } from '../../../src/base/clock.ts';
import { Turns } from '../../../src/base/turns.ts';

/** A clock that a piece of work moves on. */
function worked(): { nowMs: number; readonly monotonicMs: () => number } {
  const found = { nowMs: 0, monotonicMs: () => found.nowMs };
  return found;
}

test('pieces that take long have a turn each, short ones share it; none is left behind', async () => {
  const clock = worked();
  const turns = new Turns(clock);
  let turn = 0;
  const done: string[] = [];
  const work = async (name: string, pieces: number, ms: number): Promise<void> => {
    await turns.take();
    for (let piece = 0; piece < pieces; piece += 1) {
      done.push(`${name}${piece}@${turn}`);
      clock.nowMs += ms;
      await turns.take();
    }
  };
  const all = Promise.all([work('a', 2, 13), work('b', 2, 13), work('c', 1, 1), work('d', 1, 1)]);
  let isOver = false;
  void all.then(() => (isOver = true));
  while (!isOver) {
    await nextTurn();
    turn += 1;
  }
  const turnOf = (piece: string): number => {
    const found = done.find((one) => one.startsWith(`${piece}@`));
    return Number(found?.split('@')[1]);
  };
  assert.deepEqual(
    done.map((one) => one.split('@')[0]),
    ['a0', 'b0', 'c0', 'd0', 'a1', 'b1'],
  );
  assert.ok(turnOf('b0') > turnOf('a0') && turnOf('c0') > turnOf('b0'), done.join());
  assert.equal(turnOf('d0'), turnOf('c0'));
  assert.ok(turnOf('b1') > turnOf('a1'), done.join());
});

test('who comes while nobody waits has its turn, too', async () => {
  const turns = new Turns(worked());
  await turns.take();
  await nextTurn();
  await turns.take();
});
