/**
 * The decision to move a group: what would be done, what speaks against it, what would be lost; and
 * doing it. Planning changes nothing. Executing plans again, and refuses when something has moved.
 *
 * Invariant: what is committed is stored in the ledger before, and the home moves only after every
 * commit was accepted; so it may die anywhere and be run again.
 */
import { createHash } from 'node:crypto';
import { MeshError, type ErrorCode } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import type { CommitResult, TopicPartition } from '../kafka/cluster.ts';
import type { FailoverPlan, FailoverReport, TranslateAnswer } from './answer.ts';
import type { GroupCluster, SiteLiveness } from './group-ports.ts';
import type { Ledger, WrittenOffset } from './ledger.ts';
import { idRefusals, movedHome, type IdAtHome, type IdFacts } from './stand-in.ts';
import { isOpen } from './sync-plan.ts';

export interface Refusal {
  readonly code: ErrorCode;
  readonly text: string;
  /** What waiting may change: members that leave, maps that are still being loaded or read back. */
  readonly mayPass: boolean;
}

export interface FailoverFacts {
  readonly answer: TranslateAnswer;
  /** The id that the group is to go on under, and whether it may. */
  readonly ids: IdFacts;
  readonly site: SiteName;
  readonly liveness: SiteLiveness;
  readonly nowMs: number;
  /** Members now; undefined: the site cannot be asked. */
  readonly membersThere: number | undefined;
  readonly membersHere: number | undefined;
  /** What stands at the target by somebody else's hand, and would be replaced. */
  readonly foreignHere: readonly WrittenOffset[];
  readonly overwrite: boolean;
  /** Why the positions are those that were known before; undefined: they were read just now. */
  readonly notReadWhy: string | undefined;
  readonly lossUnknownPartitions: number;
  readonly lossSeconds: number | undefined;
  readonly growthRecordsPerSecond: number | undefined;
}

export interface MadePlan {
  readonly plan: FailoverPlan;
  readonly refusals: readonly Refusal[];
  /** The id whose home would move, and where it would be at home. */
  readonly moved: IdAtHome;
  /** Its Kafka has answered just now; one that has just died may still seem to be reachable. */
  readonly isSourceThere: boolean;
}

export function makePlan(facts: FailoverFacts): MadePlan {
  const { answer, ids } = facts;
  const refusals = [...refusalsOf(facts)];
  const lost = answer.positions.map(({ notHereAtLeast }) => notHereAtLeast ?? 0n);
  const isAlive = facts.liveness.kafkaReachable;
  return {
    refusals,
    moved: movedHome(answer, ids),
    isSourceThere: facts.membersThere !== undefined,
    plan: {
      planId: planId(facts),
      answer,
      as: ids.into?.group,
      evidence: evidenceOf(facts),
      lossRecordsAtLeast: lost.reduce((sum, records) => sum + records, 0n),
      lossUnknownPartitions: facts.lossUnknownPartitions,
      lossSeconds: facts.lossSeconds,
      // A site that answers loses nothing by waiting.
      growthRecordsPerSecond: isAlive ? undefined : facts.growthRecordsPerSecond,
      refusals: refusals.map(({ text }) => text),
    },
  };
}

function* refusalsOf(facts: FailoverFacts): Iterable<Refusal> {
  const { answer, ids, site, membersHere, membersThere } = facts;
  const { group, from, to } = answer;
  const into = ids.into?.group ?? group;
  if (site !== to) {
    const text = `this agent is of ${site}: ask one of ${to}`;
    yield { code: 'precondition', text, mayPass: false };
  }
  if (answer.positions.length === 0) {
    const text = `no position of group ${group} at ${from} is known`;
    yield { code: 'group_unknown', text, mayPass: false };
  }
  yield* idRefusals(answer, ids, facts.overwrite);
  if ((membersThere ?? 0) > 0) {
    const text = `${from} is reachable and ${group} has ${membersThere} members there: stop them first`;
    yield { code: 'group_active', text, mayPass: true };
  }
  if ((membersHere ?? 0) > 0) {
    const text = `${into} has ${membersHere} members at ${to}: stop them first`;
    yield { code: 'group_active', text, mayPass: true };
  }
  const [foreign, ...more] = facts.foreignHere;
  if (foreign !== undefined && !facts.overwrite) {
    const { topic, partition, offset } = foreign;
    const others = more.length === 0 ? '' : ` and ${more.length} more`;
    const text = `${into} has commits of its own at ${to} (${topic}/${partition}@${offset}${others})`;
    const way = '--overwrite replaces them';
    yield { code: 'precondition', text: `${text}: ${way}`, mayPass: false };
  }
  const unknown = answer.positions.filter(({ certainty }) => certainty === 'unknown');
  for (const position of unknown.slice(0, 3)) {
    const { topic, partition } = position.source;
    const text = `${topic}/${partition} at ${from} cannot be translated: ${position.reason}`;
    yield { code: 'precondition', text, mayPass: unknown.every(isOpen) };
  }
}

function evidenceOf({ answer, liveness, nowMs, membersThere }: FailoverFacts): string[] {
  const { from } = answer;
  const evidence: string[] = [];
  const ago = (sinceMs: number): string => `${Math.max(0, Math.round((nowMs - sinceMs) / 1000))} s`;
  if (liveness.agentSilentSinceMs !== undefined) {
    evidence.push(`agents of ${from} silent for ${ago(liveness.agentSilentSinceMs)}`);
  } else if (liveness.agentsConnected > 0) evidence.push(`agents of ${from} answer`);
  if (liveness.kafkaRefusedSinceMs !== undefined) {
    evidence.push(`Kafka of ${from} not reachable for ${ago(liveness.kafkaRefusedSinceMs)}`);
  } else if (liveness.kafkaReachable) evidence.push(`Kafka of ${from} answers`);
  if (membersThere === 0) evidence.push(`the group has no members at ${from}`);
  return evidence;
}

/** Digest of what would be done: the same as long as nothing moves. */
function planId({ answer, ids: { into } }: FailoverFacts): string {
  const { group, from, to, home, positions } = answer;
  const what = positions.map(({ target, certainty }) => {
    return [target.topic, target.partition, target.offset?.toString(), certainty];
  });
  const id = into === undefined ? [group] : [group, into.group, into.home?.epoch ?? 0];
  const text = JSON.stringify([...id, from, to, home?.epoch ?? 0, what]);
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** Those of the offsets whose commit was accepted. */
export function accepted<T extends TopicPartition>(
  offsets: readonly T[],
  results: readonly CommitResult[],
): T[] {
  const good = new Set(
    results
      .filter(({ errorCode }) => errorCode === 0)
      .map(({ topic, partition }) => `${topic}/${partition}`),
  );
  return offsets.filter(({ topic, partition }) => good.has(`${topic}/${partition}`));
}

export interface ExecuteParts {
  readonly cluster: GroupCluster;
  readonly ledger: Ledger;
  readonly nowMs: number;
  /** Commit metadata of the application, by source `topic/partition`: carried along. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Done when all is committed, before the home moves. */
  readonly beforeMoved: () => Promise<void>;
}

/** @throws MeshError with the first refusal's code; plan_changed; group_active */
export async function executePlan(
  { plan, refusals, moved }: MadePlan,
  wantedPlanId: string | undefined,
  parts: ExecuteParts,
): Promise<FailoverReport> {
  const { to } = plan.answer;
  const group = plan.as ?? plan.answer.group;
  const first = refusals[0];
  if (first !== undefined) throw new MeshError(first.code, plan.refusals.join('; '));
  if (wantedPlanId !== undefined && wantedPlanId !== plan.planId) {
    const text = `plan ${wantedPlanId} is out of date: it would be ${plan.planId} now`;
    throw new MeshError('plan_changed', text, { details: { planId: plan.planId } });
  }
  const committed = plan.answer.positions.flatMap((position) => {
    const { topic, partition, offset } = position.target;
    const key = `${position.source.topic}/${position.source.partition}`;
    const metadata = parts.metadata.get(key) ?? '';
    return offset === undefined ? [] : [{ position, topic, partition, offset, metadata }];
  });
  await parts.ledger.noteWritten(group, committed);
  const results = await parts.cluster.commitGroupOffsets(group, committed);
  parts.ledger.confirmWritten(group, accepted(committed, results));
  const failed = results.find(({ errorCode }) => errorCode !== 0);
  if (failed !== undefined) {
    const text = `${failed.topic}/${failed.partition} of ${group} at ${to}: Kafka error ${failed.errorCode}`;
    throw new MeshError(failed.errorCode === 25 ? 'group_active' : 'kafka_request', text);
  }
  await parts.beforeMoved();
  await parts.ledger.setHome(moved.group, moved.home);
  return {
    plan,
    committed: committed.map(({ position }) => position),
    home: moved.home,
    executedAtMs: parts.nowMs,
  };
}
