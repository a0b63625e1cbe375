import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../../src/flow/judgement.ts';
import type { PartitionStatus } from '../../../src/flow/status.ts';

const partition: PartitionStatus = {
  topic: 'orders',
  remoteTopic: 'east.orders',
  partition: 0,
  state: 'copying',
  position: 0n,
  sourceEnd: 0n,
  lagRecords: 0n,
  lagSeconds: 0,
  sourceEndAsOfMs: undefined,
  why: '',
  heldByAgent: 'west-1',
};

function stateOf(partitions: readonly PartitionStatus[], hasShare = true): string {
  const answering = { unreachableSinceMs: undefined, why: '' };
  const controls = { pause: undefined, rate: { isHolding: false } };
  const context = { source: answering, target: answering, controls, budget: { hasRoom: true } };
  const facts = {
    context,
    partitions,
    held: partitions,
    refused: undefined,
    lagSeconds: undefined,
    sourceWhy: undefined,
    targetWhy: undefined,
    hasLooked: true,
    hasShare,
  };
  // What is asked of them here.
  return judge(facts as unknown as Parameters<typeof judge>[0]).state;
}

test('nothing is current whose end at the source was never seen', () => {
  const unseen = { sourceEnd: undefined, lagRecords: undefined, lagSeconds: undefined };
  assert.equal(stateOf([{ ...partition, ...unseen }]), 'starting');
  assert.equal(stateOf([partition]), 'current');
});

test('who copies nothing is current once that is known to be the share', () => {
  assert.equal(stateOf([], false), 'starting');
  assert.equal(stateOf([]), 'current');
  assert.equal(stateOf([partition], false), 'current');
});
