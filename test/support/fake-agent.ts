/** An agent that answers plans and executes them, without any Kafka. */
import { openGrpcServer, type GrpcServer } from '../../src/api/grpc-server.ts';
import type { AgentPorts } from '../../src/api/ports.ts';
import { MeshError } from '../../src/base/errors.ts';
import { flowId, siteName } from '../../src/base/ids.ts';
import type { MeshStatus } from '../../src/client/agent-shapes.ts';
import type { PartitionStatus } from '../../src/flow/status.ts';
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

/** Seven records are known to be missing, and of the second partition nothing. */
const partitions = [7n, undefined].map((lagRecords, partition): PartitionStatus => {
  const end = lagRecords === undefined ? undefined : 10n;
  return {
    topic: 'orders',
    remoteTopic: 'east.orders',
    partition,
    state: 'copying',
    position: 3n,
    sourceEnd: end,
    lagRecords,
    lagSeconds: undefined,
    sourceEndAsOfMs: undefined,
    why: '',
    heldByAgent: 'west-1',
  };
});

const status: MeshStatus = {
  identity: {
    mesh: 'shop',
    site: siteName('west'),
    agent: 'west-1',
    softwareVersion: '1',
    startedAtMs: 0,
  },
  topologyVersion: 1,
  topologyHash: '',
  conflict: undefined,
  flows: [
    {
      flow: flowId(siteName('east'), siteName('west')),
      agent: 'west-1',
      state: 'starting',
      lagRecords: 7n,
      lagSeconds: undefined,
      trendRecordsPerSecond: 0,
      recordsPerSecond: 0,
      bytesPerSecond: 0,
      limitBytesPerSecond: undefined,
      heldBy: undefined,
      why: '',
      slotsHeld: 64,
      slotsTotal: 64,
      partitions,
      notices: [],
    },
  ],
  peers: [],
  groups: { ready: 0, contested: 0, bounded: 0, unknown: 0 },
  positions: [],
  overrides: [],
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
    status: () => status,
  };
  // The rest is not asked for.
  return openGrpcServer('127.0.0.1:0', ports as unknown as AgentPorts, testDeps());
}
