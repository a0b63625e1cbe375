import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdlePoll } from '../../../src/flow/idle-poll.ts';
import type { BrokerLink } from '../../../src/kafka/cluster.ts';

function countedLink(): { link: BrokerLink; closed: () => number } {
  let count = 0;
  const link = {
    [Symbol.asyncDispose]: () => {
      count += 1;
      return Promise.resolve();
    },
  };
  // Nothing else of it is used.
  return { link: link as unknown as BrokerLink, closed: () => count };
}

let nowMs = 0;
const clock = { monotonicMs: () => nowMs };

function idle(): IdlePoll {
  const poll = new IdlePoll(500, clock);
  for (let round = 0; round < 10; round += 1) {
    assert.equal(poll.begin(countedLink().link), 500);
    poll.end(0);
  }
  return poll;
}

test('polls become long when nothing comes, and short again when something does', () => {
  const poll = idle();
  assert.equal(poll.begin(countedLink().link), 5_000);
  poll.end(0);
  assert.equal(poll.begin(countedLink().link), 5_000);
  poll.end(1);
  assert.equal(poll.begin(countedLink().link), 500);
});

test('what comes now and then does not make polls short; what comes at once does', () => {
  const poll = idle();
  for (let beat = 0; beat < 20; beat += 1) {
    assert.equal(poll.begin(countedLink().link), 5_000);
    nowMs += 4_900;
    poll.end(1);
  }
  for (let round = 0; round < 10; round += 1) {
    poll.begin(countedLink().link);
    nowMs += 100;
    poll.end(1);
  }
  for (let round = 0; round < 9; round += 1) poll.end(0);
  assert.equal(poll.begin(countedLink().link), 500);
});

test('a long poll is ended, once, for one that is not in it', () => {
  const poll = idle();
  const { link, closed } = countedLink();
  poll.begin(link);
  poll.interrupt();
  poll.interrupt();
  assert.equal(closed(), 1);
  assert.equal(poll.fail(), true, 'which is no trouble');
  assert.equal(poll.begin(link), 500);
  assert.equal(poll.fail(), false, 'what fails then is');
});

test('a short poll is never ended: whoever is not in it waits a moment', () => {
  const poll = new IdlePoll(500, clock);
  const { link, closed } = countedLink();
  poll.begin(link);
  poll.interrupt();
  assert.equal(closed(), 0);
});
