import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../../src/flow/judgement.ts';
import type { PartitionStatus } from '../../../src/flow/status.ts';

function stateOf(sourceEnd: bigint | undefined): string {
  const partition: PartitionStatus = {
    topic: 'orders',
    remoteTopic: 'east.orders',
    partition: 0,
    state: 'copying',
    position: 0n,
    sourceEnd,
    lagRecords: sourceEnd,
    lagSeconds: sourceEnd === undefined ? undefined : 0,
    sourceEndAsOfMs: undefined,
    why: '',
    heldByAgent: 'west-1',
  };
  const answering = { unreachableSinceMs: undefined, why: '' };
  const controls = { pause: undefined, rate: { isHolding: false } };
  const context = { source: answering, target: answering, controls, budget: { hasRoom: true } };
  const facts = {
    context,
    partitions: [partition],
    held: [partition],
    refused: undefined,
    lagSeconds: undefined,
    sourceWhy: undefined,
    targetWhy: undefined,
    hasLooked: true,
  };
  // What is asked of them here.
  return judge(facts as unknown as Parameters<typeof judge>[0]).state;
}

test('nothing is current whose end at the source was never seen', () => {
  assert.equal(stateOf(undefined), 'starting');
  assert.equal(stateOf(0n), 'current');
});
