/** Pauses and limits: domain values to messages and back. */
import { MeshError } from '../base/errors.ts';
import type { Override, PauseOverride, Said } from '../flow/overrides.ts';
import type * as wire from '../gen/causeway/v1/flow.ts';
import type { FlowLimit, LimitAnswer } from './agent-shapes.ts';
import { oneOf, present } from './convert-values.ts';

function big(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}

export function number(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

export function toOverride(override: Override): wire.Override {
  const { kind, flow, by, why, atMs, untilMs } = override;
  const said = { kind, flow, by, why, atMs: BigInt(Math.round(atMs)), untilMs: big(untilMs) };
  if (kind === 'limit') return { ...said, bytesPerSecond: big(override.bytesPerSecond) };
  return { ...said, topic: override.topic, partition: override.partition };
}

export function fromOverride(message: wire.Override): Override {
  const { flow, topic, partition, by, why } = message;
  const said = { flow, by, why, atMs: Number(message.atMs), untilMs: number(message.untilMs) };
  const kind = oneOf('kind of override', message.kind, ['pause', 'limit'] as const);
  if (kind === 'pause') return { kind, ...said, topic, partition };
  return { kind, ...said, bytesPerSecond: number(message.bytesPerSecond) };
}

export function fromPause(message: wire.Override | undefined): PauseOverride {
  const found = fromOverride(present(message, 'override'));
  if (found.kind === 'pause') return found;
  throw new MeshError('peer_rejected', `an answer with a ${found.kind}; wanted a pause`);
}

export function toLimit(limit: FlowLimit): wire.LimitRequest['limit'] {
  if (limit === 'file') return { $case: 'asInFile', value: true };
  const { bytesPerSecond } = limit;
  if (bytesPerSecond === undefined) return { $case: 'unlimited', value: true };
  return { $case: 'bytesPerSecond', value: BigInt(bytesPerSecond) };
}

export function toLimitAnswer({ override, bytesPerSecond }: LimitAnswer): wire.LimitResponse {
  return {
    override: override && toOverride(override),
    bytesPerSecond: big(bytesPerSecond),
  };
}

export function fromLimitAnswer(message: wire.LimitResponse): LimitAnswer {
  const override = message.override && fromOverride(message.override);
  return { override, bytesPerSecond: number(message.bytesPerSecond) };
}

/** Who asks, why, and until when, as the requests have it. */
export function toSaid({ by, why, untilMs }: Omit<Said, 'atMs'>): {
  requestedBy: string;
  why: string;
  untilMs: bigint | undefined;
} {
  return { requestedBy: by, why, untilMs: untilMs === undefined ? undefined : BigInt(untilMs) };
}
