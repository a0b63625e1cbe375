/**
 * How maps are stored and streamed. Keys are text, so that a console consumer can be read:
 * `map/1/<flow>/<topic>/<partition>/<generation>/<takeover>/<from>` for a segment,
 * `end/1/<flow>/<topic>/<partition>/<generation>` for what is known of the logs.
 * A segment's value is binary: version, flags, its range, then its blocks as differences.
 */
import { errorMessage, MeshError } from '../base/errors.ts';
import { NumberReader, NumberWriter } from './numbers.ts';
import { PackedBlocks } from './packed-blocks.ts';
import type { MapId } from './run.ts';
import { Segment } from './segment.ts';

const version = 1;
const valueVersion = 2;
const firstFlag = 1;
const headerBytesMax = 40;

export type MapKey =
  | {
      readonly kind: 'segment';
      readonly id: MapId;
      readonly takeover: number;
      readonly from: number;
    }
  | { readonly kind: 'frontier'; readonly id: MapId };

export function idText({ flow, topic, partition, generation }: MapId): string {
  return `${flow}/${topic}/${partition}/${generation}`;
}

/** @param name of the segment within its map */
export function segmentKey(id: MapId, name: string): Buffer {
  return Buffer.from(`map/${version}/${idText(id)}/${name}`);
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

export function segmentValue({ from, to, began, isFirst, blocks }: Segment): Buffer {
  const writer = new NumberWriter(headerBytesMax + blocks.bytes);
  writer.number(valueVersion);
  writer.number(isFirst ? firstFlag : 0);
  writer.number(to - from);
  writer.number(began.source);
  writer.number(began.target);
  blocks.write(writer);
  return writer.bytes;
}

/** @throws MeshError state_corrupt */
export function parseSegment(key: MapKey & { kind: 'segment' }, value: Buffer): Segment {
  const { id, takeover, from } = key;
  try {
    const reader = new NumberReader(value);
    const found = reader.number();
    if (found !== valueVersion) {
      throw new Error(`a segment of format ${found}, wanted ${valueVersion}`);
    }
    const isFirst = (reader.number() & firstFlag) !== 0;
    const to = from + reader.number();
    const began = { source: reader.number(), target: reader.number() };
    const blocks = PackedBlocks.read(reader, from, value.length);
    const { last } = blocks;
    const end = last === undefined ? from : last.source + last.sourceSpan;
    if (end > to) throw new Error(`a run up to ${end}, behind the end ${to} of its segment`);
    return new Segment({ takeover, began, from, to, isFirst }, blocks);
  } catch (cause) {
    throw corrupt(idText(id), errorMessage(cause));
  }
}

function corrupt(place: string, found: string): MeshError {
  return new MeshError('state_corrupt', `offset map ${place}: ${found}`, { details: { place } });
}
