/**
 * The overrides of all flows as they are stored, a record each. One whose time is up no longer
 * counts, whatever is stored.
 */
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import { placeText, type FlowPlace, type Override } from '../flow/overrides.ts';

const prefixes = { pause: 'pause/1/', limit: 'limit/1/' } as const;

const said = {
  by: z.string(),
  why: z.string(),
  atMs: z.number(),
  untilMs: z.number().optional(),
};
const schema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('pause'),
    flow: z.string(),
    topic: z.string().optional(),
    partition: z.int().min(0).optional(),
    ...said,
  }),
  z.object({
    kind: z.literal('limit'),
    flow: z.string(),
    bytesPerSecond: z.int().min(1).optional(),
    ...said,
  }),
]);

/** Longest wait for one timer; what lies further ahead is looked at again. */
const timerMsMax = 3_600_000;

export function overrideKey(kind: Override['kind'], place: FlowPlace): string {
  return `${prefixes[kind]}${placeText(place)}`;
}

export class OverrideBook {
  readonly #clock: Clock;
  readonly #stored = new Map<string, Override>();
  readonly #listeners = new Set<() => void>();
  #cancelTimer: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(flow?: string): readonly Override[] {
    const nowMs = this.#clock.nowMs();
    return [...this.#stored.values()].filter((one) => {
      const isOver = one.untilMs !== undefined && one.untilMs <= nowMs;
      return !isOver && (flow === undefined || one.flow === flow);
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** False when it is not of this kind. @throws MeshError state_corrupt */
  load(key: string, value: Buffer | null): boolean {
    if (!Object.values(prefixes).some((prefix) => key.startsWith(prefix))) return false;
    if (value === null) this.#stored.delete(key);
    else this.#stored.set(key, parse(key, value));
    this.#changed();
    return true;
  }

  close(): void {
    this.#cancelTimer();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    this.#cancelTimer();
    const ends = this.list().flatMap(({ untilMs }) => (untilMs === undefined ? [] : [untilMs]));
    if (ends.length === 0) return;
    const ms = Math.max(1, Math.min(...ends) - this.#clock.nowMs());
    this.#cancelTimer = this.#clock.after(Math.min(ms, timerMsMax), () => this.#changed());
  }
}

function parse(key: string, value: Buffer): Override {
  try {
    const found = schema.parse(JSON.parse(value.toString('utf8')));
    const { untilMs } = found;
    if (found.kind === 'limit') return { ...found, bytesPerSecond: found.bytesPerSecond, untilMs };
    return { ...found, topic: found.topic, partition: found.partition, untilMs };
  } catch (cause) {
    const text = `record ${key}: not an override, version 1`;
    throw new MeshError('state_corrupt', text, { cause, details: { key } });
  }
}
