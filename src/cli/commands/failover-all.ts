/**
 * `causeway failover --all-groups`: every group that runs at the lost site, one by one: of mode
 * `single` when it is at home there, of mode `local` under the id that is asked for.
 */
import { errorMessage, isMeshError } from '../../base/errors.ts';
import type { SiteName } from '../../base/ids.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import type { FailoverAllJson } from '../../client/answers.ts';
import { planJson, reportJson } from '../../client/json.ts';
import type { GroupReadiness } from '../../groups/answer.ts';
import type { FailoverRequest } from '../../groups/updates.ts';
import { idOf, type Move } from '../move-options.ts';

export interface AllRequest extends Move {
  /** A pattern with `{group}` in it. */
  readonly as: string | undefined;
  readonly execute: boolean;
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
  const known = await client.listGroups();
  for (const one of known) {
    const row = goneOn(one, from, known) ?? (await moveOne(client, one, request));
    if (row !== undefined) groups.push(row);
  }
  return { schema: 1, from, to, groups };
}

/** It has been moved under another id already. */
function goneOn(
  { group }: GroupReadiness,
  from: SiteName,
  known: readonly GroupReadiness[],
): Row | undefined {
  for (const { group: id, home } of known) {
    const { standsFor } = home ?? {};
    if (home === undefined || standsFor?.group !== group || standsFor.site !== from) continue;
    if (home.site === from) continue;
    const why = `goes on as ${id} at ${home.site} (epoch ${home.epoch}) already`;
    return { group, as: id, outcome: 'left', why };
  }
  return undefined;
}

/** undefined: it does not run there. */
async function moveOne(
  client: AgentClient,
  { group, mode, home, from: known, sites, state, why }: GroupReadiness,
  request: AllRequest,
): Promise<Row | undefined> {
  const { from, to, as, overwrite } = request;
  const left = (text: string): Row => ({ group, outcome: 'left', why: text });
  const isAtHomeThere = home === undefined ? known === from : home.site === from;
  if (home?.standsFor !== undefined) {
    if (home.site !== from || home.standsFor.site === from) return undefined;
    return await moveId(client, { group, from, to, overwrite }, request);
  }
  if (mode === 'local') {
    if (!sites.includes(from)) return undefined;
    if (as === undefined) return left(`${why}; --as '{group}.{from}' moves it under another id`);
    const id = idOf(as, group, request);
    return await moveId(client, { group, from, to, as: id, overwrite }, request);
  }
  if (!isAtHomeThere && state !== 'own' && state !== 'contested') return undefined;
  if (mode === 'off') return left('no mode is declared; move it with --group');
  if (mode !== 'single') return left(why);
  return await moveId(client, { group, from, to, overwrite }, request);
}

async function moveId(
  client: AgentClient,
  request: FailoverRequest,
  { execute, requestedBy }: AllRequest,
): Promise<Row> {
  const { group } = request;
  const as = request.as === undefined ? {} : { as: request.as };
  try {
    const plan = await client.planFailover(request);
    if (plan.refusals.length > 0) {
      const why = plan.refusals.join('; ');
      return { group, ...as, outcome: 'refused', why, plan: planJson(plan) };
    }
    if (!execute) return { group, ...as, outcome: 'planned', why: '', plan: planJson(plan) };
    const report = await client.executeFailover(request, plan.planId, requestedBy);
    return { group, ...as, outcome: 'moved', why: '', report: reportJson(report) };
  } catch (error) {
    if (!isMeshError(error)) throw error;
    return { group, ...as, outcome: 'refused', why: errorMessage(error) };
  }
}
