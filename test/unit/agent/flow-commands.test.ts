/** What people do to flows, over a state topic in memory that comes round to two agents. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlStore } from '../../../src/agent/control-store.ts';
import { FlowCommands } from '../../../src/agent/flow-commands.ts';
import type { FlowRunner } from '../../../src/agent/flow-runner.ts';
import { MeshError } from '../../../src/base/errors.ts';
import { flowId, siteName } from '../../../src/base/ids.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../../../src/kafka/state-records.ts';
import { testDeps } from '../../support/deps.ts';

const flow = flowId(siteName('east'), siteName('west'));
const place = { flow, topic: 'orders', partition: undefined };

class RoundLog implements StateLog {
  readonly topic = '__causeway-controls';
  readonly #followers: ((records: readonly FollowedRecord[]) => void)[] = [];
  #end = 0n;

  append(records: readonly StateRecord[]): Promise<void> {
    const followed = records.map((record): FollowedRecord => {
      return { ...record, partition: 0, offset: this.#end++, timestampMs: 0 };
    });
    for (const follow of this.#followers) follow(followed);
    return Promise.resolve();
  }

  async follow(listener: Parameters<StateLog['follow']>[0], signal: AbortSignal): Promise<void> {
    this.#followers.push(listener.onRecords);
    listener.onSynced();
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.resolve();
  }
}

async function staged(
  work: (parts: {
    commands: FlowCommands;
    carried: Set<string>;
    retried: string[];
  }) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const log = new RoundLog();
  const carried = new Set(['orders']);
  const retried: string[] = [];
  const [store, other] = ['west-1', 'west-2'].map((agent) => {
    const made = new ControlStore(log, testDeps());
    made.onRetry((one) => retried.push(`${agent} ${one}`));
    return { made, ended: made.run(stop.signal) };
  });
  assert.ok(store && other);
  const checkPlace: FlowRunner['checkPlace'] = ({ topic = '' }) => {
    if (!carried.has(topic)) throw new MeshError('precondition', `${topic} is not carried`);
  };
  // What commands use of it.
  const runner = { checkPlace } as unknown as FlowRunner;
  const parts = { controls: store.made, runner: () => runner, onEvent: () => undefined };
  try {
    await work({ commands: new FlowCommands(parts, testDeps()), carried, retried });
  } finally {
    stop.abort();
    await Promise.all([store.ended, other.ended]);
  }
}

const said = { by: 'ana', why: '', untilMs: undefined };

test('a pause of what is not carried any more can be taken back; what never was is refused', async () => {
  await staged(async ({ commands, carried }) => {
    await commands.pause(flow, place, said);
    carried.clear();
    const lifted = await commands.resume(flow, place, 'ana');
    assert.deepEqual(
      lifted.map(({ topic }) => topic),
      ['orders'],
    );
    await assert.rejects(commands.resume(flow, place, 'ana'), /orders is not carried/);
  });
});

test('resuming has every agent of the site try again', async () => {
  await staged(async ({ commands, retried }) => {
    await commands.resume(flow, { ...place, topic: 'orders' }, 'ana');
    assert.deepEqual(retried, [`west-1 ${flow}`, `west-2 ${flow}`]);
  });
});
