import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdlePoll } from '../../../src/flow/idle-poll.ts';
import type { PartitionCopy } from '../../../src/flow/partition-copy.ts';
import type { BrokerLink } from '../../../src/kafka/cluster.ts';

// Only told apart, never called.
const [first, second] = [{}, {}] as unknown as [PartitionCopy, PartitionCopy];
const always = (): boolean => true;

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

function idle(): IdlePoll {
  const poll = new IdlePoll(500);
  for (let round = 0; round < 10; round += 1) {
    assert.equal(poll.begin([first], countedLink().link), 500);
    poll.end(0);
  }
  return poll;
}

test('polls become long when nothing comes, and short again when something does', () => {
  const poll = idle();
  assert.equal(poll.begin([first], countedLink().link), 5_000);
  poll.end(0);
  assert.equal(poll.begin([first], countedLink().link), 5_000);
  poll.end(1);
  assert.equal(poll.begin([first], countedLink().link), 500);
});

test('a long poll is ended for one that is not in it, once, and only when it is wanted', () => {
  const poll = idle();
  const { link, closed } = countedLink();
  poll.begin([first], link);
  poll.interruptFor([first], always);
  poll.interruptFor([first, second], (copy) => copy !== second);
  assert.equal(closed(), 0);
  poll.interruptFor([first, second], always);
  poll.interruptFor([first, second], always);
  assert.equal(closed(), 1);
  assert.equal(poll.fail(), true, 'which is no trouble');
  assert.equal(poll.begin([first, second], link), 500);
  assert.equal(poll.fail(), false, 'what fails then is');
});

test('a short poll is never ended: whoever is not in it waits a moment', () => {
  const poll = new IdlePoll(500);
  const { link, closed } = countedLink();
  poll.begin([first], link);
  poll.interruptFor([second], always);
  assert.equal(closed(), 0);
});
