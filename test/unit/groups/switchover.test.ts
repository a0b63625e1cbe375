import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import { siteName } from '../../../src/base/ids.ts';
import type { TranslatedPosition } from '../../../src/groups/answer.ts';
import type { FailoverFacts, makePlan } from '../../../src/groups/failover.ts';
import { switchover, type SwitchoverParts } from '../../../src/groups/switchover.ts';
import type { SwitchoverRequest, SwitchoverStep } from '../../../src/groups/updates.ts';

const [from, to] = [siteName('east'), siteName('west')];
const request: SwitchoverRequest = {
  group: 'billing',
  from,
  to,
  producersStopped: false,
  execute: true,
  timeoutMs: 60_000,
  requestedBy: 'ana',
  overwrite: false,
};

/** A world that a script changes as time goes by. */
interface World {
  nowMs: number;
  /** undefined: the old home does not answer. */
  members: number | undefined;
  membersHere: number;
  committed: bigint;
  end: bigint;
  copied: bigint;
  home: string;
  /** Why the position cannot be translated. */
  unknown?: TranslatedPosition['reason'] | undefined;
  notReadWhy?: string | undefined;
  executed: TranslatedPosition[][];
}

type Script = (world: World) => void;

function worldOf(script: Script): { world: World; parts: SwitchoverParts } {
  const world: World = {
    nowMs: 0,
    members: 0,
    membersHere: 0,
    committed: 10n,
    end: 10n,
    copied: 10n,
    home: 'east',
    executed: [],
  };
  const clock: Clock = {
    ...systemClock,
    nowMs: () => world.nowMs,
    monotonicMs: () => world.nowMs,
    sleep: (ms) => {
      world.nowMs += ms;
      script(world);
      return Promise.resolve();
    },
  };
  script(world);
  return { world, parts: partsOf(world, clock) };
}

function partsOf(world: World, clock: Clock): SwitchoverParts {
  const position = (): TranslatedPosition => {
    const { committed, copied, unknown } = world;
    const isHere = committed <= copied;
    const offset = (isHere ? committed : copied) + 1n;
    return {
      source: { topic: 'orders', partition: 0, offset: committed },
      target: { topic: 'east.orders', partition: 0, offset },
      certainty: isHere ? 'exact' : 'lower_bound',
      reason: isHere ? 'in_run' : 'not_copied_yet',
      notHereAtLeast: 0n,
      reread: isHere ? 0n : committed - copied,
      skipped: 0n,
      generation: 1,
      ...(unknown !== undefined && { certainty: 'unknown', reason: unknown }),
    };
  };
  const facts = (): FailoverFacts => ({
    answer: {
      mesh: 'shop',
      group: 'billing',
      from,
      to,
      mode: 'single',
      isDeclared: true,
      home: { site: siteName(world.home), epoch: 1, state: 'declared' },
      contest: undefined,
      verdict: 'exact',
      safeToStart: true,
      blockers: [],
      sourceReachable: true,
      positionsAsOfMs: 0,
      sourceEndAsOfMs: 0,
      positions: [position()],
    },
    ids: { into: undefined, epoch: 0, standIn: undefined },
    site: to,
    liveness: {
      site: from,
      kafkaReachable: world.members !== undefined,
      kafkaRefusedSinceMs: undefined,
      agentsConnected: 1,
      agentSilentSinceMs: undefined,
    },
    nowMs: world.nowMs,
    membersThere: world.members,
    membersHere: world.membersHere,
    foreignHere: [],
    overwrite: false,
    notReadWhy: world.notReadWhy,
    lossUnknownPartitions: 0,
    lossSeconds: undefined,
    growthRecordsPerSecond: undefined,
  });
  return {
    clock,
    facts: () => Promise.resolve(facts()),
    ends: () => {
      if (world.members === undefined) return Promise.resolve(undefined);
      const end = { topic: 'orders', partition: 0, offset: world.end };
      return Promise.resolve([{ ...end, errorCode: 0, timestampMs: -1, leaderEpoch: 0 }]);
    },
    behind: (logs) =>
      logs.flatMap(({ topic, partition, offset }) => {
        const recordsAtLeast = offset - world.copied;
        return recordsAtLeast > 0n ? [{ log: `${topic}/${partition}`, recordsAtLeast }] : [];
      }),
    execute: ({ plan }: ReturnType<typeof makePlan>) => {
      world.executed.push([...plan.answer.positions]);
      const home = { site: to, epoch: 2, state: 'moved' } as const;
      return Promise.resolve({ plan, committed: plan.answer.positions, home, executedAtMs: 0 });
    },
  };
}

async function run(
  parts: SwitchoverParts,
  change: Partial<SwitchoverRequest> = {},
  signal = new AbortController().signal,
): Promise<SwitchoverStep[]> {
  const steps: SwitchoverStep[] = [];
  for await (const step of switchover({ ...request, ...change }, parts, signal)) steps.push(step);
  return steps;
}

const waits = (steps: readonly SwitchoverStep[]): string[] =>
  steps.map((step) => (step.kind === 'waiting' ? step.waitingFor.join('; ') : step.kind));

describe('switchover', () => {
  test('waits for the members, for their last commit, and for the copy of it', async () => {
    const { world, parts } = worldOf((now) => {
      if (now.nowMs < 2_000) now.members = 2;
      else now.members = 0;
      if (now.nowMs >= 2_000) now.committed = 40n;
      if (now.nowMs >= 4_000) now.copied = 40n;
    });
    assert.deepEqual(waits(await run(parts)), [
      'billing has 2 members at east',
      'orders/0: 30 records to cross',
      'executed',
    ]);
    assert.deepEqual(world.executed[0]?.[0]?.source.offset, 40n);
  });

  test('what crosses while the facts are gathered is translated before it is acted upon', async () => {
    const { world, parts } = worldOf((now) => {
      if (now.nowMs === 0) now.copied = 4n;
    });
    const facts = async (): Promise<FailoverFacts> => {
      const found = await parts.facts();
      if (world.nowMs >= 1_000) world.copied = 10n;
      return found;
    };
    const steps = await run({ ...parts, facts });
    assert.equal(steps.at(-1)?.kind, 'executed');
    assert.deepEqual(
      world.executed.map(([moved]) => [moved?.target.offset, moved?.certainty]),
      [[11n, 'exact']],
    );
  });

  test('a map that is still being loaded is waited for; a topic that is not copied is refused', async () => {
    const { world, parts } = worldOf((now) => {
      now.unknown = now.nowMs < 3_000 ? 'no_map' : undefined;
    });
    assert.deepEqual(waits(await run(parts)), [
      'orders/0 at east cannot be translated: no_map',
      'executed',
    ]);
    assert.ok(world.nowMs >= 3_000);

    const never = worldOf((now) => {
      now.unknown = 'not_replicated';
    });
    await assert.rejects(run(never.parts), /cannot be translated: not_replicated/);
    assert.equal(never.world.nowMs, 0);
    assert.deepEqual(never.world.executed, []);
  });

  test('positions that are not read now are waited for: they may be old', async () => {
    const { world, parts } = worldOf((now) => {
      now.notReadWhy = now.nowMs < 3_000 ? 'coordinator loading' : undefined;
      if (now.nowMs >= 3_000) [now.committed, now.copied] = [40n, 40n];
    });
    assert.deepEqual(waits(await run(parts)), [
      'the positions of billing at east: coordinator loading',
      'executed',
    ]);
    assert.equal(world.executed[0]?.[0]?.source.offset, 40n);
  });

  test('what a member committed as it left is read after it was gone', async () => {
    let looks = 0;
    const { world, parts } = worldOf(() => undefined);
    const facts = (): ReturnType<SwitchoverParts['facts']> => {
      looks += 1;
      // The commit came between the reading of the positions and that of the members.
      if (looks === 2) world.committed = 11n;
      world.copied = 11n;
      return parts.facts();
    };
    assert.deepEqual(waits(await run({ ...parts, facts })), [
      'the last commits of billing',
      'executed',
    ]);
    assert.equal(world.executed[0]?.[0]?.source.offset, 11n);
  });

  test('with the producers stopped: ends that stand still, all of it here', async () => {
    const { world, parts } = worldOf((now) => {
      if (now.nowMs <= 5_000) now.end = 10n + BigInt(now.nowMs);
      if (now.nowMs >= 10_000) now.copied = now.end;
    });
    const steps = waits(await run(parts, { producersStopped: true }));
    assert.deepEqual(steps, [
      'orders to be still at east for 3 s',
      'orders/0: 5000 records to cross',
      'executed',
    ]);
    assert.ok(world.nowMs >= 10_000);
  });

  test('not in time: says for what it waited, and has changed nothing', async () => {
    const { world, parts } = worldOf((now) => (now.membersHere = 1));
    await assert.rejects(run(parts, { timeoutMs: 5_000 }), {
      code: 'precondition',
      message: 'not within 5 s, nothing was changed: billing has 1 members at west',
    });
    assert.deepEqual(world.executed, []);
  });

  test('refused: the home is elsewhere, or the old home is lost', async () => {
    const moved = worldOf((now) => (now.home = 'west'));
    await assert.rejects(run(moved.parts), /the home of billing is west \(epoch 1\), not east/);
    const lost = worldOf((now) => (now.members = undefined));
    await assert.rejects(run(lost.parts), /Kafka of east does not answer: .*`causeway failover`/);
    assert.deepEqual([...moved.world.executed, ...lost.world.executed], []);
  });

  test('without execute: what would be waited for, refusals as values, nothing done', async () => {
    const { world, parts } = worldOf((now) => {
      now.members = 3;
      now.home = 'west';
    });
    const [step, ...more] = await run(parts, { execute: false });
    assert.ok(step?.kind === 'waiting' && more.length === 0);
    assert.deepEqual(step.waitingFor, ['billing has 3 members at east']);
    assert.deepEqual(step.plan.refusals, ['the home of billing is west (epoch 1), not east']);
    assert.deepEqual(world.executed, []);
  });

  test('the old home is silent for a while: it is waited for', async () => {
    const { parts } = worldOf((now) => {
      now.members = now.nowMs < 1_000 ? 1 : now.nowMs < 3_000 ? undefined : 0;
    });
    assert.deepEqual(waits(await run(parts)), [
      'billing has 1 members at east',
      'Kafka of east to answer',
      'the last commits of billing',
      'executed',
    ]);
  });

  test('called off: nothing is done after it', async () => {
    const off = new AbortController();
    const { world, parts } = worldOf((now) => {
      now.members = now.nowMs < 3_000 ? 1 : 0;
      if (now.nowMs === 2_500) off.abort();
    });
    assert.deepEqual(waits(await run(parts, {}, off.signal)), ['billing has 1 members at east']);
    assert.deepEqual(world.executed, []);
  });
});
