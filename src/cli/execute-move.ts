/**
 * Executes a plan at one agent. That an answer does not come does not mean that nothing was done:
 * then the home of the group tells. It is never asked for a second time by itself.
 */
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { AgentClient } from '../client/agent-client.ts';
import type { FailoverPlan, FailoverReport, GroupHome } from '../groups/answer.ts';
import type { FailoverRequest } from '../groups/updates.ts';

/** Asks one agent after the other until one answers. */
export type Ask = <T>(ask: (client: AgentClient) => Promise<T>) => Promise<T>;

export interface PlannedMove {
  readonly request: FailoverRequest;
  readonly plan: FailoverPlan;
  readonly planId: string;
  readonly requestedBy: string;
}

/** For so long, and so often, is the home looked at after an answer was lost. */
const looksMsMax = 5_000;
const lookMs = 500;
const homeMsMax = 10_000;

/**
 * @param ask for what became of it, when this client's agent does not tell
 * @throws MeshError outcome_unknown; whatever the agent refuses it for
 */
export async function executeMove(
  client: AgentClient,
  ask: Ask,
  { request, plan, planId, requestedBy }: PlannedMove,
  clock: Clock,
): Promise<FailoverReport> {
  const { group, as = group } = request;
  const ids = [...new Set([group, as])];
  const before = await homesOf(client, ids);
  try {
    return await client.executeFailover(request, planId, requestedBy);
  } catch (error) {
    if (!isMeshError(error, 'peer_timeout') && !isMeshError(error, 'peer_unavailable')) throw error;
    const deadlineMs = clock.monotonicMs() + looksMsMax;
    for (let isFirst = true; isFirst || clock.monotonicMs() < deadlineMs; isFirst = false) {
      if (!isFirst) await clock.sleep(lookMs);
      const now = await ask((other) => homesOf(other, ids)).catch(() => undefined);
      const home = now && newHome(before, now, request);
      if (home !== undefined) return reportOf(plan, home, clock.nowMs());
    }
    const text = `no answer: ${errorMessage(error)}; ${group} is not seen to have moved`;
    throw new MeshError('outcome_unknown', text, { cause: error });
  }
}

type Homes = ReadonlyMap<string, GroupHome | undefined>;

async function homesOf(client: AgentClient, ids: readonly string[]): Promise<Homes> {
  const homes = new Map<string, GroupHome | undefined>();
  for (const id of ids) {
    const stop = AbortSignal.timeout(homeMsMax);
    let isTold = false;
    for await (const { home } of client.watchHome(id, stop)) {
      homes.set(id, home);
      isTold = true;
      break;
    }
    if (isTold) continue;
    throw new MeshError('peer_timeout', `home of ${id} at ${client.address}: no answer in time`);
  }
  return homes;
}

/** Of the ids the one that is at home at the target by now, and was not before. */
function newHome(before: Homes, now: Homes, { to }: FailoverRequest): GroupHome | undefined {
  for (const [id, home] of now) {
    if (home?.site === to && home.epoch > (before.get(id)?.epoch ?? 0)) return home;
  }
  return undefined;
}

/** The home moves after all of the plan was committed: executing another plan is refused. */
function reportOf(plan: FailoverPlan, home: GroupHome, executedAtMs: number): FailoverReport {
  const committed = plan.answer.positions.filter(({ target }) => target.offset !== undefined);
  return { plan, committed, home, executedAtMs };
}
