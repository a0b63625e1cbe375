/**
 * How the journal of the pass lane is stored: in `__causeway-offset-maps`, keys of text
 * `pass/1/<flow>/<topic>/<partition>/<producer id>/<producer epoch>/<number>`, values of numbers:
 * format, generation, sequence and source offset of the first run, count of further runs, and for
 * each of those the length of the run before it and the source offsets skipped.
 */
import { MeshError } from '../base/errors.ts';
import { NumberReader, NumberWriter } from '../offsets/numbers.ts';
import type { CopyKey } from './copy-journal.ts';
import type { Producer } from './send-window.ts';

/**
 * From that sequence on each record written is the one behind the record before it at the source,
 * until the next run begins. Sequences are counted on where Kafka's begin again, at 2^31.
 */
export interface PassRun {
  readonly sequence: number;
  readonly sourceOffset: number;
}

/** Stored before anything is written that it speaks of. */
export interface PassWindow {
  readonly generation: number;
  /** Ascending; at least one. */
  readonly runs: readonly PassRun[];
}

export interface PassKey {
  readonly copy: CopyKey;
  readonly producer: Producer;
  /** Windows of a tenure are numbered from 0, so that a missing one is noticed. */
  readonly number: number;
}

const version = 1;
const prefix = `pass/${version}/`;

export function isPassKey(text: string): boolean {
  return text.startsWith(prefix);
}

export function passKeyText({ copy, producer, number }: PassKey): string {
  const { producerId, producerEpoch } = producer;
  const place = `${copy.flow}/${copy.topic}/${copy.partition}`;
  return `${prefix}${place}/${producerId}/${producerEpoch}/${number}`;
}

/** @throws MeshError state_corrupt */
export function parsePassKey(text: string): PassKey {
  const [flow, topic, ...numbers] = text.slice(prefix.length).split('/');
  const [partition = '', producerId = '', producerEpoch = '', number = ''] = numbers;
  const areNumbers = numbers.length === 4 && numbers.every((one) => /^\d{1,19}$/.test(one));
  if (flow === undefined || topic === undefined || !areNumbers) {
    throw corrupt(text, 'a key of an unknown form');
  }
  return {
    copy: { flow, topic, partition: Number(partition) },
    producer: { producerId: BigInt(producerId), producerEpoch: Number(producerEpoch) },
    number: Number(number),
  };
}

export function passValue({ generation, runs }: PassWindow): Buffer {
  const [first, ...more] = runs;
  const writer = new NumberWriter(40 + more.length * 8);
  if (first === undefined) throw new MeshError('defect', 'a window without a run');
  for (const number of [version, generation, first.sequence, first.sourceOffset, more.length]) {
    writer.number(number);
  }
  let before = first;
  for (const run of more) {
    const length = run.sequence - before.sequence;
    writer.number(length);
    writer.number(run.sourceOffset - before.sourceOffset - length);
    before = run;
  }
  return writer.bytes;
}

/** @throws MeshError state_corrupt */
export function parsePassValue(key: string, value: Buffer): PassWindow {
  const reader = new NumberReader(value, (found) => corrupt(key, found));
  const found = reader.number();
  if (found !== version) throw corrupt(key, `format ${found}, wanted ${version}`);
  const generation = reader.number();
  let run = { sequence: reader.number(), sourceOffset: reader.number() };
  const runs = [run];
  for (let count = reader.number(); count > 0; count -= 1) {
    const length = reader.number();
    run = {
      sequence: run.sequence + length,
      sourceOffset: run.sourceOffset + length + reader.number(),
    };
    runs.push(run);
  }
  return { generation, runs };
}

function corrupt(place: string, found: string): MeshError {
  return new MeshError('state_corrupt', `${place}: ${found}`, { details: { place } });
}
