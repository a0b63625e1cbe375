/**
 * What offset maps cost, in pure memory: bytes of memory and of the state topic, CPU to append a
 * run, to load a map at the start of an agent, and to translate.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { nextTurn } from '../../src/base/clock.ts';
import { must } from '../../src/base/assert.ts';
import type { MapReader } from '../../src/offsets/map-book.ts';
import { openMapBook } from '../../src/offsets/open-map-book.ts';
import type { StoredSegment } from '../../src/offsets/run.ts';
import { Seeded } from '../support/seeded.ts';
import { table } from './report.ts';

const id = { flow: 'east->west', topic: 'orders', partition: 0, generation: 1 };
const translations = 200_000;
/** Changes are taken each 100 ms by an agent: so often here, at 50,000 runs a second. */
const storedEvery = 5_000;

interface Shape {
  readonly name: string;
  readonly runs: number;
  /** Records of a run, and source offsets between two. */
  readonly length: () => number;
  readonly gap: () => number;
}

interface Copied {
  readonly stored: readonly StoredSegment[];
  readonly sourceEnd: number;
  readonly targetEnd: number;
  readonly appendMicros: number;
}

function shapes(): Shape[] {
  const seeded = new Seeded(1);
  const upTo = (max: number) => (): number => 1 + Math.floor(seeded.next() * max);
  return [
    { name: 'no hole in 1 M records', runs: 1_000, length: () => 1_000, gap: () => 0 },
    { name: 'transactions of 1-100 records', runs: 1e6, length: upTo(100), gap: () => 1 },
    { name: 'compacted: a hole each few records', runs: 1e6, length: upTo(3), gap: upTo(9) },
    { name: 'the same', runs: 1e7, length: upTo(3), gap: upTo(9) },
  ];
}

function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function copy({ runs, length, gap }: Shape): Copied {
  const records = new Map<string, StoredSegment>();
  const book = openMapBook();
  const writer = book.writer(id);
  writer.begin(1, { source: 0, target: 1 }, true);
  let [source, target] = [0, 1];
  const take = (): void => {
    for (const record of book.takeChanged()) {
      if (record.value === null) records.delete(record.key.toString());
      else records.set(record.key.toString(), record);
    }
  };
  const micros = cpuMicros(() => {
    for (let run = 1; run <= runs; run += 1) {
      const copied = { sourceOffset: source, targetOffset: target, length: length() };
      writer.append(copied);
      source += copied.length + gap();
      target += copied.length;
      if (run % storedEvery === 0) take();
    }
    take();
  });
  const stored = [...records.values()];
  return { stored, sourceEnd: source, targetEnd: target, appendMicros: micros / runs };
}

/** What is left once the garbage is collected. */
async function memoryBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  // The flag makes it a global of every context that is made from now on.
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) {
    collect();
    await nextTurn();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function translateMicros(reader: MapReader, { sourceEnd, targetEnd }: Copied): [number, number] {
  const seeded = new Seeded(2);
  const offsets = (end: number): bigint[] =>
    Array.from({ length: translations }, () => BigInt(Math.floor(seeded.next() * end)));
  const [sources, targets] = [offsets(sourceEnd), offsets(targetEnd)];
  const forward = cpuMicros(() => {
    for (const offset of sources) reader.forward(offset);
  });
  const inverse = cpuMicros(() => {
    for (const offset of targets) reader.inverse(offset);
  });
  return [forward / translations, inverse / translations];
}

export async function offsetMaps(): Promise<string> {
  const rows: string[][] = [];
  for (const shape of shapes()) {
    const copied = copy(shape);
    const before = await memoryBytes();
    const book = openMapBook();
    const loadMicros = cpuMicros(() => {
      for (const record of copied.stored) book.load(record);
    });
    const memory = Math.max(0, (await memoryBytes()) - before);
    const stored = copied.stored.reduce((sum, { key, value }) => {
      return sum + key.length + (value?.length ?? 0);
    }, 0);
    const reader = must(book.reader(id.flow, id.topic, id.partition), 'the map');
    const [forward, inverse] = translateMicros(reader, copied);
    rows.push([
      shape.name,
      shape.runs.toLocaleString('en'),
      (memory / 1e6).toFixed(2),
      (stored / 1e6).toFixed(2),
      copied.stored.length.toLocaleString('en'),
      copied.appendMicros.toFixed(2),
      (loadMicros / 1000).toFixed(0),
      forward.toFixed(1),
      inverse.toFixed(1),
    ]);
  }
  return table(
    [
      'log',
      'runs appended',
      'memory, MB',
      'stored, MB',
      'segments',
      'append, CPU µs a run',
      'load, CPU ms',
      'forward, CPU µs',
      'inverse, CPU µs',
    ],
    rows,
  );
}
