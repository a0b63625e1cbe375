/** What is known of the two logs beside a map, as it is stored: JSON under `end/1/...`. */
import { MeshError } from '../base/errors.ts';
import type { MapFrontier } from './run.ts';

const version = 4;

export interface StoredFrontier extends Omit<MapFrontier, 'scannedEnd'> {
  /** Under which takeover it was seen: the latest counts. */
  readonly takeover: number;
  /** First offsets that the logs still hold; -1: not known. */
  readonly sourceStart: number;
  readonly targetStart: number;
  /** Leader epoch and offset of the first record that was read of this life; -1: not known. */
  readonly firstEpoch: number;
  readonly firstSource: number;
  /** Target offset behind all records of earlier lives; -1: not known. */
  readonly firstTarget: number;
  /** Takeovers that found records gone, and the source offset that they went back to. */
  readonly voids: readonly (readonly [takeover: number, source: number])[];
}

export const noFrontier: StoredFrontier = {
  takeover: 0,
  sourceEnd: -1,
  sourceEndAsOfMs: -1,
  lagSeconds: -1,
  sourceRate: -1,
  sourceStart: -1,
  targetStart: -1,
  firstEpoch: -1,
  firstSource: -1,
  firstTarget: -1,
  voids: [],
};

export function frontierValue(frontier: StoredFrontier): Buffer {
  return Buffer.from(JSON.stringify({ version, ...frontier }));
}

/** @throws MeshError state_corrupt */
export function parseFrontier(place: string, value: Buffer): StoredFrontier {
  try {
    // Every field is checked below before it is used.
    const fields = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    const number = (name: string): number => {
      const found = fields[name];
      if (typeof found === 'number' && Number.isFinite(found)) return found;
      throw new Error(`${name} is ${String(found)}`);
    };
    const { voids } = fields;
    if (!Array.isArray(voids) || !voids.every(isVoid)) throw new Error(`voids is ${String(voids)}`);
    if (number('version') !== version) throw new Error(`format ${String(fields['version'])}`);
    return {
      takeover: number('takeover'),
      sourceEnd: number('sourceEnd'),
      sourceEndAsOfMs: number('sourceEndAsOfMs'),
      lagSeconds: number('lagSeconds'),
      sourceRate: number('sourceRate'),
      sourceStart: number('sourceStart'),
      targetStart: number('targetStart'),
      firstEpoch: number('firstEpoch'),
      firstSource: number('firstSource'),
      firstTarget: number('firstTarget'),
      voids,
    };
  } catch (cause) {
    const text = `offset map ${place}: an end that cannot be read: ${String(cause)}`;
    throw new MeshError('state_corrupt', text, { details: { place } });
  }
}

function isVoid(pair: unknown): pair is [number, number] {
  return Array.isArray(pair) && pair.length === 2 && pair.every(Number.isSafeInteger);
}
