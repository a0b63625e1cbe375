/** `causeway failover --all-groups`: every group that is at home at the lost site, one by one. */
import { errorMessage, isMeshError } from '../../base/errors.ts';
import type { SiteName } from '../../base/ids.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import type { FailoverAllJson } from '../../client/answers.ts';
import { planJson, reportJson } from '../../client/json.ts';
import type { GroupReadiness } from '../../groups/answer.ts';

export interface AllRequest {
  readonly from: SiteName;
  readonly to: SiteName;
  readonly execute: boolean;
  readonly overwrite: boolean;
  readonly requestedBy: string;
}

type Row = FailoverAllJson['groups'][number];

/** What one group's trouble is does not keep the others from going on. */
export async function failoverAll(
  client: AgentClient,
  request: AllRequest,
): Promise<FailoverAllJson> {
  const { from, to } = request;
  const groups: Row[] = [];
  for (const group of await client.listGroups()) {
    const row = await moveOne(client, group, request);
    if (row !== undefined) groups.push(row);
  }
  return { schema: 1, from, to, groups };
}

async function moveOne(
  client: AgentClient,
  { group, mode, home, from: known, state, why }: GroupReadiness,
  { from, to, execute, overwrite, requestedBy }: AllRequest,
): Promise<Row | undefined> {
  const isAtHomeThere = home === undefined ? known === from : home.site === from;
  if (!isAtHomeThere && state !== 'own' && state !== 'contested') return undefined;
  if (mode !== 'single') {
    const text = mode === 'off' ? 'of mode off: move it with --group' : why;
    return { group, outcome: 'left', why: text };
  }
  const request = { group, from, to, overwrite };
  try {
    const plan = await client.planFailover(request);
    if (plan.refusals.length > 0) {
      return { group, outcome: 'refused', why: plan.refusals.join('; '), plan: planJson(plan) };
    }
    if (!execute) return { group, outcome: 'planned', why: '', plan: planJson(plan) };
    const report = await client.executeFailover(request, plan.planId, requestedBy);
    return { group, outcome: 'moved', why: '', report: reportJson(report) };
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return { group, outcome: 'refused', why: errorMessage(error) };
  }
}
