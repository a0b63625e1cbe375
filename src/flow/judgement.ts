/** The state of a flow in one word, who holds it back, and why: the first that is true counts. */
import type { FlowContext } from './flow-context.ts';
import type { FlowControls } from './flow-controls.ts';
import { saidText } from './overrides.ts';
import type { FlowState, HeldBy, PartitionStatus } from './status.ts';

/** A flow is `lagging` only when its oldest record waits longer than this. */
const laggingSeconds = 2;

interface Facts {
  readonly context: Pick<FlowContext, 'source' | 'target' | 'controls' | 'budget'>;
  readonly partitions: readonly PartitionStatus[];
  /** The same, as operators' pauses leave them. */
  readonly held: readonly PartitionStatus[];
  /** A topic that cannot be carried. */
  readonly refused: PartitionStatus | undefined;
  readonly lagSeconds: number | undefined;
  /** What reading and writing last failed for. */
  readonly sourceWhy: string | undefined;
  readonly targetWhy: string | undefined;
  readonly hasLooked: boolean;
  /** Its share of the partitions is known. */
  readonly hasShare: boolean;
}

export interface Judgement {
  readonly state: FlowState;
  readonly heldBy: HeldBy | undefined;
  readonly why: string;
}

export function judge(facts: Facts): Judgement {
  const { source, target, controls } = facts.context;
  if (controls.pause !== undefined) {
    return { state: 'lagging', heldBy: 'paused', why: `paused ${saidText(controls.pause)}` };
  }
  if (source.unreachableSinceMs !== undefined || facts.sourceWhy !== undefined) {
    const why = `source: ${facts.sourceWhy ?? source.why}`;
    return { state: 'unreachable', heldBy: 'unreachable', why };
  }
  if (target.unreachableSinceMs !== undefined || facts.targetWhy !== undefined) {
    const why = `target: ${facts.targetWhy ?? target.why}`;
    return { state: 'unreachable', heldBy: 'target', why };
  }
  return blocked(facts) ?? pace(facts);
}

function blocked({ partitions, refused }: Facts): Judgement | undefined {
  const paused = partitions.filter(({ state }) => state === 'paused');
  const first = paused[0];
  if (first !== undefined) {
    const why = `${paused.length} paused, ${first.topic}/${first.partition}: ${first.why}`;
    return { state: 'blocked', heldBy: 'blocked', why };
  }
  if (refused === undefined) return undefined;
  return { state: 'blocked', heldBy: 'blocked', why: `${refused.remoteTopic}: ${refused.why}` };
}

function pace({ context, partitions, held, lagSeconds, hasLooked, hasShare }: Facts): Judgement {
  const { controls, budget } = context;
  // Nor is anything known to be current whose end was never seen.
  const isStarting = partitions.some(
    ({ state, sourceEnd }) => state !== 'copying' || sourceEnd === undefined,
  );
  // Who copies nothing has nothing to do, or has not been told yet what.
  const isOutside = partitions.length === 0 && !hasShare;
  if (!hasLooked || isStarting || isOutside)
    return { state: 'starting', heldBy: undefined, why: '' };
  const paused = held.find(({ state }) => state === 'paused');
  if (paused !== undefined) {
    const why = `${paused.topic}/${paused.partition}: ${paused.why}`;
    return { state: 'lagging', heldBy: 'paused', why };
  }
  if (lagSeconds === undefined || lagSeconds <= laggingSeconds) {
    return { state: 'current', heldBy: undefined, why: '' };
  }
  if (controls.rate.isHolding) {
    return { state: 'lagging', heldBy: 'limit', why: controls.limitText };
  }
  return { state: 'lagging', heldBy: budget.hasRoom ? 'wan' : 'target', why: '' };
}

/** A partition that an operator paused apart from the whole flow. */
export function asHeld(status: PartitionStatus, controls: FlowControls): PartitionStatus {
  const pause = controls.pauseOf(status.topic, status.partition);
  const isApart = pause !== undefined && pause !== controls.pause;
  if (!isApart || status.state !== 'copying') return status;
  return { ...status, state: 'paused', why: `paused ${saidText(pause)}` };
}

/** Of the record that waits longest, in seconds; undefined while none is known of. */
export function oldestLag(partitions: readonly PartitionStatus[]): number | undefined {
  const known = partitions.flatMap((one) => (one.lagSeconds === undefined ? [] : [one.lagSeconds]));
  return known.length === 0 ? undefined : Math.max(...known);
}
