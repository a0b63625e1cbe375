/**
 * How maps are stored and streamed. Keys are text, so that a console consumer can be read:
 * `map/1/<flow>/<topic>/<partition>/<generation>/<takeover>/<from>` for a segment,
 * `end/1/<flow>/<topic>/<partition>/<generation>` for what is known of the source's end.
 * A segment's value is binary: version, flags, length of the range, then runs as differences.
 */
import { MeshError } from '../base/errors.ts';
import { NumberReader, NumberWriter } from './numbers.ts';
import type { MapFrontier, MapId } from './run.ts';
import { Segment } from './segment.ts';

const version = 1;
const firstFlag = 1;

export type MapKey =
  | {
      readonly kind: 'segment';
      readonly id: MapId;
      readonly takeover: number;
      readonly from: number;
    }
  | { readonly kind: 'frontier'; readonly id: MapId };

export type StoredFrontier = Omit<MapFrontier, 'scannedEnd'> & { readonly takeover: number };

function idText({ flow, topic, partition, generation }: MapId): string {
  return `${flow}/${topic}/${partition}/${generation}`;
}

export function segmentKey(id: MapId, segment: Segment): Buffer {
  return Buffer.from(`map/${version}/${idText(id)}/${segment.takeover}/${segment.from}`);
}

export function frontierKey(id: MapId): Buffer {
  return Buffer.from(`end/${version}/${idText(id)}`);
}

/** The flow that a key is about; undefined when it is not a key of a map. */
export function flowOfKey(key: Buffer): string | undefined {
  const [kind, , flow] = key.toString('utf8').split('/');
  return kind === 'map' || kind === 'end' ? flow : undefined;
}

/** @throws MeshError state_corrupt */
export function parseKey(key: Buffer): MapKey {
  const text = key.toString('utf8');
  const [kind, format, flow, topic, ...numbers] = text.split('/');
  const [partition = -1, generation = -1, takeover = -1, from = -1] = numbers.map(Number);
  const isNumbers = numbers.every((number) => /^\d+$/.test(number));
  const wanted = kind === 'map' ? 4 : 2;
  const isRight = (kind === 'map' || kind === 'end') && format === String(version) && isNumbers;
  if (!isRight || flow === undefined || topic === undefined || numbers.length !== wanted) {
    throw corrupt(
      text,
      `a key of an unknown form, wanted map/${version}/... or end/${version}/...`,
    );
  }
  const id = { flow, topic, partition, generation };
  return kind === 'map' ? { kind: 'segment', id, takeover, from } : { kind: 'frontier', id };
}

export function segmentValue(segment: Segment): Buffer {
  const writer = new NumberWriter(2 + (segment.count + 2) * 12);
  writer.number(version);
  writer.number(segment.isFirst ? firstFlag : 0);
  writer.number(segment.to - segment.from);
  writer.number(segment.count);
  let source = segment.from;
  let target = 0;
  for (let index = 0; index < segment.count; index += 1) {
    const run = segment.run(index);
    if (run === undefined) break;
    writer.number(run.sourceOffset - source);
    writer.number(run.targetOffset - target);
    writer.number(run.length);
    source = run.sourceOffset + run.length;
    target = run.targetOffset + run.length;
  }
  return writer.bytes;
}

/** @throws MeshError state_corrupt */
export function parseSegment(key: MapKey & { kind: 'segment' }, value: Buffer): Segment {
  const reader = new NumberReader(value, (found) => corrupt(idText(key.id), found));
  const found = reader.number();
  if (found !== version) {
    throw corrupt(idText(key.id), `a segment of format ${found}, wanted ${version}`);
  }
  const isFirst = (reader.number() & firstFlag) !== 0;
  const { takeover, from } = key;
  const to = from + reader.number();
  const segment = new Segment({ takeover, from, to, isFirst });
  let source = from;
  let target = 0;
  for (let count = reader.number(); count > 0; count -= 1) {
    const sourceOffset = source + reader.number();
    const targetOffset = target + reader.number();
    const length = reader.number();
    if (length < 1) throw corrupt(idText(key.id), 'a run without length');
    segment.append({ sourceOffset, targetOffset, length });
    source = sourceOffset + length;
    target = targetOffset + length;
  }
  return segment;
}

export function frontierValue(frontier: StoredFrontier): Buffer {
  return Buffer.from(JSON.stringify({ version, ...frontier }));
}

/** @throws MeshError state_corrupt */
export function parseFrontier(id: MapId, value: Buffer): StoredFrontier {
  try {
    // Every field is checked below before it is used.
    const fields = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    const number = (name: string): number => {
      const found = fields[name];
      if (typeof found === 'number' && Number.isFinite(found)) return found;
      throw new Error(`${name} is ${String(found)}`);
    };
    if (number('version') !== version) throw new Error(`format ${String(fields['version'])}`);
    return {
      takeover: number('takeover'),
      sourceEnd: number('sourceEnd'),
      sourceEndAsOfMs: number('sourceEndAsOfMs'),
      lagSeconds: number('lagSeconds'),
      sourceRate: number('sourceRate'),
    };
  } catch (cause) {
    throw corrupt(idText(id), `an end that cannot be read: ${String(cause)}`);
  }
}

function corrupt(place: string, found: string): MeshError {
  return new MeshError('state_corrupt', `offset map ${place}: ${found}`, { details: { place } });
}
