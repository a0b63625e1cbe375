/** Groups, translations and failovers: domain values to messages and back. */
import type * as wire from '../gen/causeway/v1/groups.ts';
import type * as checkpoint from '../gen/causeway/v1/checkpoint.ts';
import type * as failover from '../gen/causeway/v1/failover.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupMode,
  GroupPosition,
  GroupReadiness,
  ReadinessState,
  TranslateAnswer,
  TranslatedPosition,
  TranslationReason,
} from '../groups/answer.ts';
import type { GroupUpdate, SwitchoverStep } from '../groups/updates.ts';
import type { Certainty } from '../offsets/certainty.ts';
import type { MapUpdate } from './agent-shapes.ts';
import { fromContest, fromHome, toContest, toHome } from './convert-homes.ts';
import { fromEnum, present, site, toEnum } from './convert-values.ts';

export const modes: readonly GroupMode[] = ['single', 'local', 'everywhere', 'off', 'contested'];
const certainties: readonly Certainty[] = ['exact', 'lower_bound', 'unknown'];
const reasons: readonly TranslationReason[] = [
  'in_run',
  'in_gap',
  'at_end',
  'same_log',
  'not_copied_yet',
  'before_map',
  'not_covered',
  'coarsened',
  'no_commit',
  'no_map',
  'not_replicated',
  'generation_changed',
];

const readinessStates: readonly ReadinessState[] = [
  'home',
  'ready',
  'bounded',
  'unknown',
  'own',
  'contested',
];

// The values of the generated enums are their prefix and our names in capitals: hence each `as`.

function toPosition(position: TranslatedPosition): wire.TranslatedPosition {
  const { source, target, certainty, reason, ...counts } = position;
  return {
    source: { ...source },
    target: { ...target },
    certainty: toEnum('CERTAINTY', certainty) as wire.Certainty,
    reason: toEnum('TRANSLATION_REASON', reason) as wire.TranslationReason,
    ...counts,
  };
}

function fromLog(position: wire.LogPosition | undefined): TranslatedPosition['source'] {
  const { topic, partition, offset } = present(position, 'position');
  return { topic, partition, offset };
}

function fromPosition(position: wire.TranslatedPosition): TranslatedPosition {
  return {
    source: fromLog(position.source),
    target: fromLog(position.target),
    certainty: fromEnum('CERTAINTY', position.certainty, certainties),
    reason: fromEnum('TRANSLATION_REASON', position.reason, reasons),
    notHereAtLeast: position.notHereAtLeast,
    reread: position.reread,
    skipped: position.skipped,
    generation: position.generation,
  };
}

function ms(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}

function number(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

export function toTranslation(answer: TranslateAnswer): wire.Translation {
  return {
    mesh: answer.mesh,
    group: answer.group,
    from: answer.from,
    to: answer.to,
    mode: toEnum('GROUP_MODE', answer.mode) as wire.GroupMode,
    isDeclared: answer.isDeclared,
    home: answer.home && toHome(answer.home),
    contest: answer.contest && toContest(answer.contest),
    verdict: toEnum('CERTAINTY', answer.verdict) as wire.Certainty,
    safeToStart: answer.safeToStart,
    blockers: [...answer.blockers],
    sourceReachable: answer.sourceReachable,
    positionsAsOfMs: ms(answer.positionsAsOfMs),
    sourceEndAsOfMs: ms(answer.sourceEndAsOfMs),
    positions: answer.positions.map(toPosition),
  };
}

export function fromTranslation(message: wire.Translation | undefined): TranslateAnswer {
  const found = present(message, 'translation');
  return {
    mesh: found.mesh,
    group: found.group,
    from: site(found.from),
    to: site(found.to),
    mode: fromEnum('GROUP_MODE', found.mode, modes),
    isDeclared: found.isDeclared,
    home: found.home && fromHome(found.home),
    contest: found.contest && fromContest(found.contest),
    verdict: fromEnum('CERTAINTY', found.verdict, certainties),
    safeToStart: found.safeToStart,
    blockers: found.blockers,
    sourceReachable: found.sourceReachable,
    positionsAsOfMs: number(found.positionsAsOfMs),
    sourceEndAsOfMs: number(found.sourceEndAsOfMs),
    positions: found.positions.map(fromPosition),
  };
}

export function toPlan(plan: FailoverPlan): failover.FailoverPlan {
  return {
    planId: plan.planId,
    as: plan.as,
    translation: toTranslation(plan.answer),
    evidence: [...plan.evidence],
    lossRecordsAtLeast: plan.lossRecordsAtLeast,
    lossUnknownPartitions: plan.lossUnknownPartitions,
    lossSeconds: plan.lossSeconds,
    growthRecordsPerSecond: plan.growthRecordsPerSecond,
    refusals: [...plan.refusals],
  };
}

export function fromPlan(message: failover.FailoverPlan | undefined): FailoverPlan {
  const found = present(message, 'plan');
  return {
    planId: found.planId,
    as: found.as,
    answer: fromTranslation(found.translation),
    evidence: found.evidence,
    lossRecordsAtLeast: found.lossRecordsAtLeast,
    lossUnknownPartitions: found.lossUnknownPartitions,
    lossSeconds: found.lossSeconds,
    growthRecordsPerSecond: found.growthRecordsPerSecond,
    refusals: found.refusals,
  };
}

export function toReport(report: FailoverReport): failover.ExecuteResponse {
  return {
    plan: toPlan(report.plan),
    committed: report.committed.map(toPosition),
    home: toHome(report.home),
    executedAtMs: BigInt(report.executedAtMs),
  };
}

export function fromReport(message: failover.ExecuteResponse): FailoverReport {
  return {
    plan: fromPlan(message.plan),
    committed: message.committed.map(fromPosition),
    home: fromHome(present(message.home, 'home')),
    executedAtMs: Number(message.executedAtMs),
  };
}

export function toSwitchoverStep(step: SwitchoverStep): failover.SwitchoverResponse {
  if (step.kind === 'executed') {
    return { step: { $case: 'executed', value: toReport(step.report) } };
  }
  const value = { plan: toPlan(step.plan), waitingFor: [...step.waitingFor] };
  return { step: { $case: 'waiting', value } };
}

/** undefined: of a kind that a newer agent knows and we do not. */
export function fromSwitchoverStep({
  step,
}: failover.SwitchoverResponse): SwitchoverStep | undefined {
  switch (step?.$case) {
    case 'waiting': {
      const { plan, waitingFor } = step.value;
      return { kind: 'waiting', plan: fromPlan(plan), waitingFor };
    }
    case 'executed':
      return { kind: 'executed', report: fromReport(step.value) };
    case undefined:
      return undefined;
  }
}

export function toReadiness(group: GroupReadiness): wire.GroupReadiness {
  return {
    ...group,
    mode: toEnum('GROUP_MODE', group.mode) as wire.GroupMode,
    home: group.home && toHome(group.home),
    contest: group.contest && toContest(group.contest),
    state: toEnum('READINESS_STATE', group.state) as wire.ReadinessState,
    sites: [...group.sites],
    positionsAsOfMs: ms(group.positionsAsOfMs),
  };
}

export function fromReadiness(group: wire.GroupReadiness): GroupReadiness {
  return {
    ...group,
    mode: fromEnum('GROUP_MODE', group.mode, modes),
    home: group.home && fromHome(group.home),
    contest: group.contest && fromContest(group.contest),
    site: site(group.site),
    sites: group.sites.map(site),
    from: group.from === undefined ? undefined : site(group.from),
    state: fromEnum('READINESS_STATE', group.state, readinessStates),
    positionsAsOfMs: number(group.positionsAsOfMs),
  };
}

export function toGroupUpdate(update: GroupUpdate): checkpoint.GroupUpdate {
  switch (update.kind) {
    case 'position': {
      const { asOfMs, ...position } = update.position;
      const value = { ...position, asOfMs: BigInt(Math.round(asOfMs)) };
      return { update: { $case: 'position', value } };
    }
    case 'home': {
      const value = { group: update.group, home: toHome(update.home) };
      return { update: { $case: 'home', value } };
    }
    case 'as_of': {
      const { site, asOfMs } = update;
      return { update: { $case: 'asOf', value: { site, asOfMs: BigInt(Math.round(asOfMs)) } } };
    }
    case 'synced':
      return { update: { $case: 'synced', value: {} } };
  }
}

/** undefined: of a kind that a newer peer knows and we do not. */
export function fromGroupUpdate({ update }: checkpoint.GroupUpdate): GroupUpdate | undefined {
  switch (update?.$case) {
    case 'position': {
      const { value } = update;
      const position: GroupPosition = {
        ...value,
        site: site(value.site),
        offset: value.offset,
        asOfMs: Number(value.asOfMs),
      };
      return { kind: 'position', position };
    }
    case 'home': {
      const { group, home } = update.value;
      return { kind: 'home', group, home: fromHome(present(home, 'home')) };
    }
    case 'asOf': {
      const { value } = update;
      return { kind: 'as_of', site: site(value.site), asOfMs: Number(value.asOfMs) };
    }
    case 'synced':
      return { kind: 'synced' };
    case undefined:
      return undefined;
  }
}

export function toMapUpdate(update: MapUpdate): checkpoint.MapUpdate {
  if (update.kind === 'synced') return { update: { $case: 'synced', value: {} } };
  const { key, value } = update.segment;
  return { update: { $case: 'segment', value: { key, value: value ?? undefined } } };
}

export function fromMapUpdate({ update }: checkpoint.MapUpdate): MapUpdate | undefined {
  switch (update?.$case) {
    case 'segment': {
      const { key, value } = update.value;
      const segment = {
        key: Buffer.from(key),
        value: value === undefined ? null : Buffer.from(value),
      };
      return { kind: 'segment', segment };
    }
    case 'synced':
      return { kind: 'synced' };
    case undefined:
      return undefined;
  }
}
