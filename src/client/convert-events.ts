/** Events and late records: domain values to messages and back. */
import type * as wire from '../gen/causeway/v1/event.ts';
import { parseFlowId, type FlowId } from '../base/ids.ts';
import { MeshError } from '../base/errors.ts';
import { lateStates, type LateStretch } from '../groups/stored-late.ts';
import { fromEnum, toEnum } from './convert-values.ts';
import type { EventsRequest, MeshEvent } from './event-shapes.ts';

export function toEventsRequest({ sinceMs, kinds, limit }: EventsRequest): wire.ListRequest {
  return { sinceMs: ms(sinceMs), kinds: [...kinds], limit };
}

export function fromEventsRequest({ sinceMs, kinds, limit }: wire.ListRequest): EventsRequest {
  return { sinceMs: number(sinceMs), kinds, limit };
}

export function toEvent(event: MeshEvent): wire.Event {
  return { ...event, atMs: BigInt(Math.round(event.atMs)) };
}

export function fromEvent(event: wire.Event): MeshEvent {
  const { topic, partition, group, range } = event;
  return { ...event, atMs: Number(event.atMs), topic, partition, group, range };
}

export function toLate(stretch: LateStretch): wire.LateRecords {
  return {
    ...stretch,
    // The values of the generated enum are its prefix and our names in capitals.
    state: toEnum('LATE_STATE', stretch.state) as wire.LateState,
    groups: stretch.groups.map((one) => ({ ...one })),
    records: ms(stretch.records),
    failedOverAtMs: BigInt(Math.round(stretch.failedOverAtMs)),
    seenAtMs: ms(stretch.seenAtMs),
    endedAtMs: ms(stretch.endedAtMs),
  };
}

export function fromLate(late: wire.LateRecords): LateStretch {
  const { to, target, groups } = late;
  return {
    ...late,
    flow: flowOf(late.flow),
    state: fromEnum('LATE_STATE', late.state, lateStates),
    to,
    target,
    groups: groups.map(({ group, as }) => ({ group, as })),
    records: number(late.records),
    failedOverAtMs: Number(late.failedOverAtMs),
    seenAtMs: number(late.seenAtMs),
    endedAtMs: number(late.endedAtMs),
  };
}

function flowOf(text: string): FlowId {
  // It is one, or refused.
  if (parseFlowId(text) !== undefined) return text as FlowId;
  throw new MeshError('usage', `late records: found flow ${JSON.stringify(text)}`);
}

function ms(value: number | undefined): bigint | undefined {
  return value === undefined ? undefined : BigInt(Math.round(value));
}

function number(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
