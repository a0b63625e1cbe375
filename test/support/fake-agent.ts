/** An agent that answers plans and executes them, without any Kafka. */
import { openGrpcServer, type GrpcServer } from '../../src/api/grpc-server.ts';
import type { AgentPorts } from '../../src/api/ports.ts';
import { MeshError } from '../../src/base/errors.ts';
import { siteName } from '../../src/base/ids.ts';
import type { FailoverPlan, GroupHome, GroupReadiness } from '../../src/groups/answer.ts';
import type { HomeView } from '../../src/groups/watch-home.ts';
import { testDeps } from './deps.ts';
import { exactAnswer } from './exact-answer.ts';

const billing: GroupReadiness = {
  group: 'billing',
  mode: 'single',
  isDeclared: true,
  home: { site: siteName('east'), epoch: 1, state: 'declared' },
  contest: undefined,
  site: siteName('west'),
  sites: [siteName('east')],
  from: siteName('east'),
  state: 'ready',
  why: '',
  partitions: 0,
  exactPartitions: 0,
  notHereAtLeast: 0n,
  reread: 0n,
  positionsAsOfMs: undefined,
};

export interface FakeAgentOptions {
  /** The answer to an execution does not come, whether or not it was done. */
  readonly losesAnswer?: 'done' | 'not_done';
}

export async function openFakeAgent(
  asked: string[],
  { losesAnswer }: FakeAgentOptions = {},
): Promise<GrpcServer> {
  const west = siteName('west');
  const plan: FailoverPlan = {
    planId: 'abc',
    answer: exactAnswer(),
    as: undefined,
    evidence: [],
    lossRecordsAtLeast: 0n,
    lossUnknownPartitions: 0,
    lossSeconds: undefined,
    growthRecordsPerSecond: undefined,
    refusals: [],
  };
  let home: GroupHome | undefined;
  const ports = {
    readiness: () => ({ isReady: true, reasons: [] }),
    planFailover: () => {
      asked.push('plan');
      return Promise.resolve(plan);
    },
    executeFailover: () => {
      asked.push('execute');
      const moved: GroupHome = { site: west, epoch: 1, state: 'moved' };
      if (losesAnswer !== 'not_done') home = moved;
      if (losesAnswer !== undefined) throw new MeshError('peer_unavailable', 'gone');
      return Promise.resolve({ plan, committed: [], home: moved, executedAtMs: 0 });
    },
    async *watchHome(group: string): AsyncIterable<HomeView> {
      yield await Promise.resolve({ group, mode: 'single', home, leaving: undefined });
    },
    listGroups: () => [billing],
  };
  // The rest is not asked for.
  return openGrpcServer('127.0.0.1:0', ports as unknown as AgentPorts, testDeps());
}
