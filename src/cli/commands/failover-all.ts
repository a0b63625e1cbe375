/**
 * `causeway failover --all-groups`: every group that runs at the lost site, one by one: of mode
 * `single` when it is at home there, of mode `local` under the id that is asked for.
 */
import type { Clock } from '../../base/clock.ts';
import { errorMessage, isMeshError } from '../../base/errors.ts';
import type { SiteName } from '../../base/ids.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import type { FailoverAllJson } from '../../client/answers.ts';
import { planJson, reportJson } from '../../client/json.ts';
import type { GroupReadiness } from '../../groups/answer.ts';
import type { FailoverRequest } from '../../groups/updates.ts';
import { executeMove, type Ask } from '../execute-move.ts';
import { idOf, type Move } from '../move-options.ts';

export interface AllRequest extends Move {
  /** A pattern with `{group}` in it. */
  readonly as: string | undefined;
  readonly execute: boolean;
  readonly requestedBy: string;
}

type Row = FailoverAllJson['groups'][number];

/**
 * What one group's trouble is does not keep the others from going on.
 * @param ask asks one agent after the other until one answers
 */
export async function failoverAll(
  ask: Ask,
  request: AllRequest,
  clock: Clock,
): Promise<FailoverAllJson> {
  const { from, to } = request;
  const groups: Row[] = [];
  const known = await ask((client) => client.listGroups());
  const waiting: FailoverRequest[] = [];
  for (const one of known) {
    const found = goneOn(one, from, known) ?? decide(one, request);
    if (found === undefined) continue;
    if ('outcome' in found) groups.push(found);
    else waiting.push(found);
  }
  try {
    await ask(async (client) => {
      // Where an agent ends in the middle the next one goes on.
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        groups.push(await moveOne(client, ask, next, request, clock));
        waiting.shift();
      }
    });
  } catch (error) {
    if (!isMeshError(error)) throw error;
    for (const one of waiting) groups.push(refusedRow(one, errorMessage(error)));
  }
  groups.sort((a, b) => (a.group === b.group ? 0 : a.group < b.group ? -1 : 1));
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

/** How it is to be moved, or why not; undefined: it does not run there. */
function decide(
  { group, mode, home, from: known, sites, state, why }: GroupReadiness,
  request: AllRequest,
): FailoverRequest | Row | undefined {
  const { from, to, as, overwrite } = request;
  const left = (text: string): Row => ({ group, outcome: 'left', why: text });
  const underOwnId = { group, from, to, overwrite };
  if (home?.standsFor !== undefined) {
    return home.site === from && home.standsFor.site !== from ? underOwnId : undefined;
  }
  if (mode === 'local') {
    if (!sites.includes(from)) return undefined;
    if (as === undefined) return left(`${why}; --as '{group}.{from}' moves it under another id`);
    return { ...underOwnId, as: idOf(as, group, request) };
  }
  const isAtHomeThere = home === undefined ? known === from : home.site === from;
  if (!isAtHomeThere && state !== 'own' && state !== 'contested') return undefined;
  if (mode === 'off') return left('of mode off: move it with --group');
  return mode === 'single' ? underOwnId : left(why);
}

async function moveOne(
  client: AgentClient,
  ask: Ask,
  request: FailoverRequest,
  { execute, requestedBy }: AllRequest,
  clock: Clock,
): Promise<Row> {
  try {
    const plan = await client.planFailover(request);
    const named = { ...nameOf(request), plan: planJson(plan) };
    if (plan.refusals.length > 0) {
      return { ...named, outcome: 'refused', why: plan.refusals.join('; ') };
    }
    if (!execute) return { ...named, outcome: 'planned', why: '' };
    const planned = { request, plan, planId: plan.planId, requestedBy };
    const report = await executeMove(client, ask, planned, clock);
    return { ...nameOf(request), outcome: 'moved', why: '', report: reportJson(report) };
  } catch (error) {
    if (!isMeshError(error) || error.code === 'peer_unavailable') throw error;
    const row = refusedRow(request, errorMessage(error));
    return isMeshError(error, 'outcome_unknown') ? { ...row, outcome: 'unknown' } : row;
  }
}

function nameOf({ group, as }: FailoverRequest): Pick<Row, 'group' | 'as'> {
  return as === undefined ? { group } : { group, as };
}

function refusedRow(request: FailoverRequest, why: string): Row {
  return { ...nameOf(request), outcome: 'refused', why };
}
