/** An agent that answers plans and executes them, without any Kafka. */
import { openGrpcServer, type GrpcServer } from '../../src/api/grpc-server.ts';
import type { AgentPorts } from '../../src/api/ports.ts';
import type { SiteName } from '../../src/base/ids.ts';
import type { FailoverPlan } from '../../src/groups/answer.ts';
import { testDeps } from './deps.ts';

export async function openFakeAgent(asked: string[]): Promise<GrpcServer> {
  const [east, west] = ['east', 'west'] as SiteName[] as [SiteName, SiteName];
  const plan: FailoverPlan = {
    planId: 'abc',
    answer: {
      mesh: 'shop',
      group: 'billing',
      mode: 'single',
      isDeclared: true,
      contest: undefined,
      home: undefined,
      from: east,
      to: west,
      verdict: 'exact',
      safeToStart: true,
      blockers: [],
      sourceReachable: true,
      positionsAsOfMs: undefined,
      sourceEndAsOfMs: undefined,
      positions: [],
    },
    as: undefined,
    evidence: [],
    lossRecordsAtLeast: 0n,
    lossUnknownPartitions: 0,
    lossSeconds: undefined,
    growthRecordsPerSecond: undefined,
    refusals: [],
  };
  const ports = {
    readiness: () => ({ isReady: true, reasons: [] }),
    planFailover: () => {
      asked.push('plan');
      return Promise.resolve(plan);
    },
    executeFailover: () => {
      asked.push('execute');
      const home = { site: west, epoch: 1, state: 'moved', sinceMs: 0 };
      return Promise.resolve({ plan, committed: [], home, executedAtMs: 0 });
    },
  };
  // The rest is not asked for.
  return openGrpcServer('127.0.0.1:0', ports as unknown as AgentPorts, testDeps());
}
