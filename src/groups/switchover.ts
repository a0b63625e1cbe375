/**
 * A planned move of a group, without loss: waits until its members at the old home have ended, its
 * producers are still (when that is promised), and all that it has read, or all that was written,
 * is here; then commits and moves the home. Until the commit nothing is changed: called off, timed
 * out or killed before that, it has not been.
 *
 * The waiting is here, and pure: it looks at what it is handed, round by round.
 */
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import type { ListedOffset } from '../kafka/cluster.ts';
import type { FailoverReport, TranslatedPosition } from './answer.ts';
import { makePlan, type FailoverFacts, type MadePlan } from './failover.ts';
import type { SwitchoverRequest, SwitchoverStep } from './updates.ts';

export interface SwitchoverParts {
  readonly clock: Clock;
  /** As things stand now. */
  readonly facts: () => Promise<FailoverFacts>;
  /** Ends of the logs at the old home that are copied from there; undefined: no answer. */
  readonly ends: (
    logs: readonly TranslatedPosition['source'][],
  ) => Promise<readonly ListedOffset[] | undefined>;
  /** Logs whose copy has not reached that offset, with how many records are missing at least. */
  readonly behind: (
    logs: readonly {
      readonly topic: string;
      readonly partition: number;
      readonly offset: bigint;
    }[],
  ) => readonly { readonly log: string; readonly recordsAtLeast: bigint }[];
  readonly execute: (plan: MadePlan) => Promise<FailoverReport>;
}

const roundMs = 500;
/** Ends that did not move for so long: the producers are still. */
const stillMs = 3_000;
const namedMax = 5;

interface Round extends MadePlan {
  readonly waitingFor: string[];
}

/**
 * What is waited for, whenever it changes; after `executed` nothing more comes. Without `execute`
 * it ends with the first step.
 * @throws MeshError precondition when it is refused, or not come true in time; group_active
 */
export async function* switchover(
  request: SwitchoverRequest,
  parts: SwitchoverParts,
  signal: AbortSignal,
): AsyncIterable<SwitchoverStep> {
  const { clock } = parts;
  const watch = new EndsWatch(request, parts);
  let wasEmpty = false;
  let wasTrue = false;
  const deadlineMs = clock.monotonicMs() + request.timeoutMs;
  let told: string | undefined;
  while (!signal.aborted) {
    const facts = await parts.facts();
    const { waitingFor, ...made } = await look(facts, request, watch, parts);
    const { plan, refusals } = made;
    // The facts are older than what they are held against: what has crossed meanwhile was not
    // translated. So once more, after all of it was true.
    const isTrue = waitingFor.length === 0;
    const isReady = request.execute && isTrue && wasTrue;
    wasTrue = isTrue;
    // What a member committed as it left was perhaps not read yet: so is that.
    if (!wasEmpty && request.execute && waitingFor.length === 0) {
      waitingFor.push(`the last commits of ${request.group}`);
    }
    wasEmpty = facts.membersThere === 0;
    if (request.execute && refusals[0] !== undefined) {
      throw new MeshError(refusals[0].code, plan.refusals.join('; '));
    }
    const text = waitingFor.join('; ');
    if (text !== told && (text !== '' || !request.execute))
      yield { kind: 'waiting', plan, waitingFor };
    if (text !== '') told = text;
    if (!request.execute) return;
    if (isReady) {
      const report = await parts.execute(made);
      yield { kind: 'executed', report };
      return;
    }
    if (text !== '' && clock.monotonicMs() >= deadlineMs) {
      const seconds = Math.round(request.timeoutMs / 1000);
      const found = `not within ${seconds} s, nothing was changed: ${text}`;
      throw new MeshError('precondition', found, { details: { waitingFor: [...waitingFor] } });
    }
    await clock.sleep(roundMs, signal).catch(() => undefined);
  }
}

async function look(
  facts: FailoverFacts,
  request: SwitchoverRequest,
  watch: EndsWatch,
  parts: SwitchoverParts,
): Promise<Round> {
  const { group, from, to, as = group } = request;
  const { plan, refusals, ...made } = makePlan(facts);
  // What may pass is not refused here but waited for.
  const kept = refusals.filter(({ mayPass }) => !mayPass);
  const passing = refusals.filter(({ code, mayPass }) => mayPass && code !== 'group_active');
  const waitingFor = passing.map(({ text }) => text);
  const isSilent = facts.membersThere === undefined;
  if (isSilent && watch.hasAnswered) waitingFor.push(`Kafka of ${from} to answer`);
  else if (isSilent) {
    const text = `Kafka of ${from} does not answer: when it is lost, use \`causeway failover\``;
    kept.push({ code: 'precondition', text, mayPass: false });
  }
  watch.hasAnswered ||= !isSilent;
  if (!isSilent && facts.notReadWhy !== undefined) {
    waitingFor.push(`the positions of ${group} at ${from}: ${facts.notReadWhy}`);
  }
  for (const [id, site, count] of [
    [group, from, facts.membersThere],
    [as, to, facts.membersHere],
  ] as const) {
    if ((count ?? 0) > 0) waitingFor.push(`${id} has ${count} members at ${site}`);
  }
  if (request.producersStopped) waitingFor.push(...(await watch.look(plan.answer.positions)));
  const read = plan.answer.positions.flatMap(({ source: { topic, partition, offset } }) =>
    offset === undefined ? [] : [{ topic, partition, offset }],
  );
  waitingFor.push(...named(parts.behind(read).map(missing)));
  const shown = { ...plan, refusals: kept.map(({ text }) => text) };
  return { ...made, plan: shown, refusals: kept, waitingFor };
}

function missing(one: { readonly log: string; readonly recordsAtLeast: bigint }): string {
  return `${one.log}: ${one.recordsAtLeast} records to cross`;
}

function named(all: readonly string[]): string[] {
  const more = all.length - namedMax;
  return more > 0 ? [...all.slice(0, namedMax), `${more} more logs`] : [...all];
}

/** Whether anything is still written at the old home, and whether all of it is here. */
class EndsWatch {
  readonly #request: SwitchoverRequest;
  readonly #parts: SwitchoverParts;
  /** The old home has answered since the switchover began. */
  hasAnswered = false;
  readonly #moved = new Map<string, { readonly end: bigint; readonly sinceMs: number }>();

  constructor(request: SwitchoverRequest, parts: SwitchoverParts) {
    this.#request = request;
    this.#parts = parts;
  }

  async look(positions: readonly TranslatedPosition[]): Promise<string[]> {
    const { clock, ends, behind } = this.#parts;
    const { from } = this.#request;
    const listed = await ends(positions.map(({ source }) => source));
    const nowMs = clock.monotonicMs();
    if (listed === undefined) return [`the ends at ${from}`];
    const written = new Set<string>();
    for (const { topic, partition, offset, errorCode } of listed) {
      const log = `${topic}/${partition}`;
      if (errorCode !== 0) return [`the leader of ${log} at ${from} to answer`];
      const known = this.#moved.get(log);
      // The first look says nothing of writing: it only begins the time of stillness.
      if (known?.end !== offset) this.#moved.set(log, { end: offset, sinceMs: nowMs });
      if (known !== undefined && known.end !== offset) written.add(topic);
      else if (nowMs - (known?.sinceMs ?? nowMs) < stillMs) written.add(topic);
    }
    if (written.size > 0) {
      return named([...written].sort().map((topic) => `${topic} to be still at ${from} for 3 s`));
    }
    return named(behind(listed).map(missing));
  }
}
