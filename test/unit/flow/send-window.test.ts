import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SendWindow, type Pending } from '../../../src/flow/send-window.ts';
import type { StampedBatch } from '../../../src/records/stamped-batch.ts';

interface Made {
  readonly batch: StampedBatch;
  released: number;
}

function made(recordCount: number, maxTimestamp = 1_000): Made {
  const bytes = Buffer.alloc(61);
  bytes[16] = 2;
  const one: Made = {
    released: 0,
    batch: {
      bytes,
      recordCount,
      runs: [],
      nextSourceOffset: 0,
      maxTimestamp,
      release: () => {
        one.released += 1;
      },
    },
  };
  return one;
}

function windowWith(batches: readonly Made[], oldBefore = 0): SendWindow {
  const producer = { producerId: 7n, producerEpoch: 1 };
  const window = new SendWindow(producer, (batch) => batch.maxTimestamp < oldBefore);
  for (const { batch } of batches) window.push(batch);
  return window;
}

function all(window: SendWindow): Pending[] {
  const sent: Pending[] = [];
  for (let next = window.next(); next !== undefined; next = window.next()) sent.push(next);
  return sent;
}

test('sequences count records, and at most five batches are unanswered', () => {
  const window = windowWith([3, 1, 4, 1, 5, 9].map((count) => made(count)));
  const sent = all(window);
  assert.deepEqual(
    sent.map((pending) => pending.baseSequence),
    [0, 3, 4, 8, 9],
  );
  window.acknowledged(sent[0]!);
  assert.equal(window.next()?.baseSequence, 14);
});

test('after a failure nothing is sent until all are answered, then in order as before', () => {
  const window = windowWith([made(1), made(1), made(1)]);
  const sent = all(window);
  assert.equal(window.failed(sent[0]!), 1);
  assert.equal(window.next(), undefined);
  assert.throws(() => window.repeat(), /outstanding/);
  window.failed(sent[1]!);
  window.failed(sent[2]!);
  assert.equal(window.next(), undefined);
  window.repeat();
  const again = all(window);
  assert.deepEqual(again, sent);
  assert.equal(window.failed(again[0]!), 2);
});

test('only one batch is unanswered while it is an old one', () => {
  const window = windowWith([made(1, 10), made(1, 2_000), made(1, 20)], 1_000);
  const [first] = all(window);
  assert.equal(window.outstanding, 1);
  assert.equal(first?.isOld, true);
  window.acknowledged(first);
  const [second, none] = all(window);
  assert.equal(second?.isOld, false);
  assert.equal(none, undefined);
});

test('breaking off waits for what is outstanding before memory is given back', async () => {
  const batches = [made(1), made(1)];
  const window = windowWith(batches);
  const pending = window.next();
  let isOver = false;
  const breaking = window.breakOff().then(() => {
    isOver = true;
  });
  await Promise.resolve();
  assert.equal(isOver, false);
  assert.deepEqual(
    batches.map((one) => one.released),
    [0, 0],
  );
  window.answered(pending!);
  await breaking;
  assert.deepEqual(
    batches.map((one) => one.released),
    [1, 1],
  );
  assert.equal(window.next(), undefined);
  assert.equal(window.isEmpty, true);
});

test('what stays in the memory of a fetch is not counted as its own', () => {
  const guest = made(1);
  const window = windowWith([made(1), { ...guest, batch: { ...guest.batch, isInFetch: true } }]);
  assert.deepEqual([window.queuedBytes, window.ownBytes], [122, 61]);
  const [first] = all(window);
  window.acknowledged(first!);
  assert.deepEqual([window.queuedBytes, window.ownBytes], [61, 0]);
});

test('acknowledgements out of order are a defect', () => {
  const window = windowWith([made(1), made(1)]);
  const sent = all(window);
  assert.equal(window.isHead(sent[1]!), false);
  assert.throws(() => window.acknowledged(sent[1]!), /in order/);
});

test('after an answer that ends it nothing is sent any more, least of all the same again', () => {
  const window = windowWith([made(1, 10), made(1, 10), made(1)], 100);
  const sent = all(window);
  assert.equal(sent.length, 1, 'one that is old goes alone');
  window.answered(sent[0]!);
  assert.equal(window.next(), undefined);
});
