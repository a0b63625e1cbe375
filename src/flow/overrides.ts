/**
 * What people decided about running flows, apart from the topology file: pauses and limits. Each
 * says who, why and until when, and ends by itself when that time has come.
 */
export interface Said {
  readonly by: string;
  readonly why: string;
  readonly atMs: number;
  /** undefined: until it is taken back. */
  readonly untilMs: number | undefined;
}

/** A flow, a topic of it (its name at the source), or one partition. */
export interface FlowPlace {
  readonly flow: string;
  readonly topic: string | undefined;
  readonly partition: number | undefined;
}

export interface PauseOverride extends FlowPlace, Said {
  readonly kind: 'pause';
}

export interface LimitOverride extends Said {
  readonly kind: 'limit';
  readonly flow: string;
  /** undefined: no limit, whatever the topology file says. */
  readonly bytesPerSecond: number | undefined;
}

export type Override = PauseOverride | LimitOverride;

export function placeText({ flow, topic, partition }: FlowPlace): string {
  return [flow, topic, partition].filter((part) => part !== undefined).join('/');
}

/** True when `inner` is the place itself or lies in it. */
export function isWithin(inner: FlowPlace, place: FlowPlace): boolean {
  if (inner.flow !== place.flow) return false;
  if (place.topic === undefined) return true;
  if (inner.topic !== place.topic) return false;
  return place.partition === undefined || inner.partition === place.partition;
}

/** `by ana until 2026-01-01T00:00:00.000Z: the link is needed` */
export function saidText({ by, why, untilMs }: Said): string {
  const until = untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return `by ${by}${until}${why === '' ? '' : `: ${why}`}`;
}
