import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn } from '../../../src/base/clock.ts';
import type { PartitionCopy } from '../../../src/flow/partition-copy.ts';
import { RunningCopies } from '../../../src/flow/running-copies.ts';
import type { CopyTarget } from '../../../src/flow/status.ts';

/** Copies that run until they are stopped, and how many began and ended in each turn. */
function counted(): { readonly copies: RunningCopies; readonly begun: number[]; ended: number } {
  const begun: number[] = [];
  const found = {
    begun,
    ended: 0,
    copies: new RunningCopies((id) => {
      const run = (signal: AbortSignal): Promise<void> => {
        begun.push(id.partition);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            found.ended += 1;
            resolve();
          });
        });
      };
      // Nothing else of it is asked for.
      return { id, run } as unknown as PartitionCopy;
    }),
  };
  return found;
}

function partitions(from: number, to: number): Map<string, CopyTarget> {
  const ids = Array.from({ length: to - from }, (_, at) => from + at);
  return new Map(
    ids.map((partition) => {
      const id = { topic: 'orders', remoteTopic: 'east.orders', partition, slot: 0 };
      return [`orders/${partition}`, id];
    }),
  );
}

test('a thousand copies begin and end, a few in each turn of the process', async () => {
  const found = counted();
  const setting = found.copies.set(partitions(0, 1000));
  const atFirst = found.begun.length;
  assert.ok(atFirst > 0 && atFirst <= 50, `${atFirst} in the first turn`);
  assert.equal(found.copies.isAsWanted, false);
  await setting;
  assert.deepEqual(
    found.begun,
    [...partitions(0, 1000).values()].map(({ partition }) => partition),
  );
  assert.deepEqual([found.copies.isAsWanted, found.copies.all.length], [true, 1000]);
  const stopping = found.copies.set(new Map());
  assert.ok(found.ended > 0 && found.ended <= 50, `${found.ended} ended in the first turn`);
  await stopping;
  await found.copies.ended();
  assert.equal(found.ended, 1000);
  assert.deepEqual([found.copies.isAsWanted, found.copies.all], [true, []]);
});

test('what is asked for later counts, whatever an earlier call was about to do', async () => {
  const found = counted();
  const first = found.copies.set(partitions(0, 1000));
  await nextTurn();
  const second = found.copies.set(partitions(990, 1010));
  await Promise.all([first, second]);
  const running = (): number[] => found.copies.all.map(({ id }) => id.partition).sort();
  assert.deepEqual(
    running(),
    [...partitions(990, 1010).values()].map((one) => one.partition).sort(),
  );
  assert.ok(found.begun.length < 200, `${found.begun.length} begun`);
});
