/** An agent that answers plans and executes them, without any Kafka. */
import { openGrpcServer, type GrpcServer } from '../../src/api/grpc-server.ts';
import type { AgentPorts } from '../../src/api/ports.ts';
import { siteName } from '../../src/base/ids.ts';
import type { FailoverPlan } from '../../src/groups/answer.ts';
import { testDeps } from './deps.ts';
import { exactAnswer } from './exact-answer.ts';

export async function openFakeAgent(asked: string[]): Promise<GrpcServer> {
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
