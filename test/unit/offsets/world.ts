/**
 * What really happens to one partition, beside what agents tell each other of it: a list of all
 * copies and of nothing else. Agents take over, copy, store, freeze, wake, forget; stored segments
 * get lost. An answer of any of them is held against that list.
 */
import assert from 'node:assert/strict';
import { must } from '../../../src/base/assert.ts';
import type { MapBook, MapReader, MapWriter } from '../../../src/offsets/map-book.ts';
import { openMapBook, type MapLimits } from '../../../src/offsets/open-map-book.ts';
import type { MapTranslation, Run, StoredSegment } from '../../../src/offsets/run.ts';

export const id = { flow: 'east->west', topic: 'orders', partition: 3, generation: 1 };

interface Pair {
  readonly source: number;
  readonly target: number;
}

interface Agent {
  book: MapBook;
  /** How much of the state topic it has read. */
  read: number;
  /** Where it would copy on; undefined: it never held the partition. */
  position: number | undefined;
}

export function readerOf(book: MapBook): MapReader {
  return must(book.reader(id.flow, id.topic, id.partition), 'the map');
}

export class World {
  pairs: Pair[] = [];
  /** Below it every source offset was copied, or never will be. */
  nextSource = 0;
  nextTarget = 0;
  /** First offsets that the logs still hold. */
  starts = { source: 0, target: 0 };
  /** The state topic, as it was written. */
  readonly log: StoredSegment[] = [];
  readonly agents: Agent[];
  readonly #limits: Partial<MapLimits>;
  /** Nobody takes over before the last takeover is stored. */
  readonly #isOrderly: boolean;
  #holder = 0;

  constructor(limits: Partial<MapLimits>, isOrderly = false) {
    this.#limits = limits;
    this.#isOrderly = isOrderly;
    this.agents = [this.#fresh(), this.#fresh()];
    this.takeOver(0);
  }

  get holder(): MapWriter {
    return this.#writer(this.#holder);
  }

  copy(gaps: readonly number[], foreign: number): void {
    this.nextTarget += foreign;
    const { holder } = this;
    for (const gap of gaps) {
      const pair = { source: this.nextSource + gap, target: this.nextTarget };
      this.pairs.push(pair);
      holder.append({ sourceOffset: pair.source, targetOffset: pair.target, length: 1 });
      this.nextSource = pair.source + 1;
      this.nextTarget += 1;
    }
    this.#agent(this.#holder).position = this.nextSource;
  }

  scan(gap: number): void {
    this.nextSource += gap;
    this.holder.scannedTo(this.nextSource);
    this.#agent(this.#holder).position = this.nextSource;
  }

  /** One that lost the partition and does not know it yet reads on, where nothing is copied. */
  scanLate(agent: number, gap: number): void {
    const { position } = this.#agent(agent);
    if (position === undefined) return;
    const next = this.pairs.find(({ source }) => source >= position)?.source ?? this.nextSource;
    this.#writer(agent).scannedTo(Math.min(next, position + gap));
  }

  store(agent: number): void {
    this.log.push(...this.#agent(agent).book.takeChanged());
  }

  follow(agent: number, count = Infinity): void {
    const one = this.#agent(agent);
    const end = Math.min(this.log.length, one.read + count);
    for (; one.read < end; one.read += 1) one.book.load(must(this.log[one.read], 'a record'));
  }

  /** The process is gone, with all that it had not stored. */
  restart(agent: number): void {
    this.agents[agent] = this.#fresh();
    if (agent !== this.#holder) return;
    this.follow(agent);
    this.takeOver(agent);
  }

  /** Something that was stored is lost: the state topic was damaged. */
  lose(places: readonly number[]): void {
    const keys = [...new Set(this.log.map(({ key }) => key.toString()))];
    for (const place of places) {
      const lost = keys[place % Math.max(1, keys.length)];
      const kept = this.log.filter(({ key }) => key.toString() !== lost);
      this.log.splice(0, this.log.length, ...kept);
    }
    for (const agent of this.agents) agent.read = Math.min(agent.read, this.log.length);
  }

  takeOver(agent: number): void {
    this.#takeOver(agent);
    if (this.#isOrderly) this.store(agent);
  }

  /** Reads a range of the source back from the target. */
  readBack(from: number, length: number): void {
    const { holder } = this;
    const to = Math.min(from + length, holder.scannedEnd ?? 0);
    const runs = this.#runs(({ source }) => source >= from && source < to);
    if (from < to) holder.fill(runs, from, to, from === 0);
  }

  /** The target loses its last records; whoever notices says so, and copies them again. */
  truncate(agent: number, records: number): void {
    const kept = this.pairs.slice(0, Math.max(1, this.pairs.length - records));
    const lost = this.pairs[kept.length];
    if (lost === undefined) return;
    this.store(this.#holder);
    this.pairs = kept;
    this.nextTarget = lost.target;
    this.nextSource = lost.source;
    this.follow(agent);
    const marker = this.nextTarget;
    this.nextTarget += 1;
    const writer = this.#writer(agent);
    const takeover = Math.max(marker, (writer.takeover ?? 0) + 1);
    writer.begin(takeover, { source: lost.source, target: marker + 1 });
    this.#holder = agent;
    this.#agent(agent).position = lost.source;
    this.store(agent);
  }

  /** The logs lose their first records, and every agent learns of it, sooner or later. */
  trim(records: number, agent: number): void {
    const first = this.pairs[Math.min(records, this.pairs.length - 1)];
    if (first === undefined) return;
    this.starts = {
      source: Math.max(this.starts.source, first.source),
      target: Math.max(this.starts.target, first.target),
    };
    const seen = { sourceEnd: -1, sourceEndAsOfMs: records, lagSeconds: -1, sourceRate: -1 };
    this.#writer(agent).setSourceEnd(seen);
    this.#writer(agent).setLogStarts(this.starts);
  }

  /** What is in the state topic once it is compacted. */
  compacted(): StoredSegment[] {
    const latest = new Map(this.log.map((record) => [record.key.toString(), record]));
    return [...latest.values()];
  }

  load(records: readonly StoredSegment[], limits: Partial<MapLimits> = this.#limits): MapBook {
    const book = openMapBook(limits);
    for (const record of records) book.load(record);
    return book;
  }

  /** Holds every answer against the list of copies. */
  check(book: MapBook): void {
    const reader = book.reader(id.flow, id.topic, id.partition);
    if (reader === undefined) return;
    for (let offset = 0; offset <= this.nextSource + 2; offset += 1) {
      this.#check('source', offset, reader.forward(BigInt(offset)));
    }
    for (let offset = 0; offset <= this.nextTarget + 2; offset += 1) {
      this.#check('target', offset, reader.inverse(BigInt(offset)));
    }
  }

  /** Nothing but exact answers, up to where the copying stands. */
  checkExact(book: MapBook): void {
    const reader = readerOf(book);
    for (let offset = 0; offset <= this.nextSource; offset += 1) {
      const { certainty, reason } = reader.forward(BigInt(offset));
      assert.equal(certainty, 'exact', `${offset}: ${reason}`);
    }
    for (let offset = 0; offset <= this.nextTarget; offset += 1) {
      const { certainty, reason } = reader.inverse(BigInt(offset));
      assert.equal(certainty, 'exact', `back from ${offset}: ${reason}`);
    }
  }

  /** As flow/take-over.ts does it. */
  #takeOver(agent: number): void {
    const marker = this.nextTarget;
    this.nextTarget += 1;
    const writer = this.#writer(agent);
    const takeover = Math.max(marker, (writer.takeover ?? 0) + 1);
    const { end, scannedEnd } = writer;
    this.#holder = agent;
    if (end === undefined) {
      const last = this.pairs.at(-1);
      const source = last === undefined ? 0 : last.source + 1;
      writer.begin(takeover, { source, target: marker + 1 }, last === undefined);
      this.#agent(agent).position = this.nextSource;
      return;
    }
    const tail = this.#runs(({ target }) => target >= end.target);
    const scanned = must(scannedEnd, 'the end of what was scanned');
    const last = tail.at(-1);
    const position = Math.max(scanned, last === undefined ? 0 : last.sourceOffset + 1);
    writer.begin(takeover, { source: position, target: marker + 1 });
    writer.fill(tail, scanned, position);
    this.#agent(agent).position = this.nextSource;
  }

  #check(side: 'source' | 'target', offset: number, answer: MapTranslation): void {
    if (answer.offset === undefined) return;
    const other = side === 'source' ? 'target' : 'source';
    const index = this.pairs.findIndex((pair) => pair[side] >= offset);
    const end = side === 'source' ? this.nextTarget : this.nextSource;
    const next = index < 0 ? end : must(this.pairs[index], 'pair')[other];
    const before = (index < 0 ? this.pairs.at(-1) : this.pairs[index - 1])?.[other] ?? -1;
    const found = Number(answer.offset);
    const what = `${side} ${offset} -> ${found} (${answer.certainty}, ${answer.reason})`;
    assert.ok(found <= next, `ahead: ${what}, the next one is at ${next}`);
    if (answer.certainty !== 'exact') return;
    assert.ok(found > before, `not exact: ${what}, ${before} has been read`);
  }

  #runs(isWanted: (pair: Pair) => boolean): Run[] {
    return this.pairs.filter(isWanted).map(({ source, target }) => {
      return { sourceOffset: source, targetOffset: target, length: 1 };
    });
  }

  #fresh(): Agent {
    return { book: openMapBook(this.#limits), read: 0, position: undefined };
  }

  #agent(agent: number): Agent {
    return must(this.agents[agent], 'an agent');
  }

  #writer(agent: number): MapWriter {
    return this.#agent(agent).book.writer(id);
  }
}
