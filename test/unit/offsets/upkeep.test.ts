/** How maps stay small: bytes, merging, coarsening, pruning, earlier lives. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MapBook, MapReader } from '../../../src/offsets/map-book.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import type { StoredSegment } from '../../../src/offsets/run.ts';
import { must } from '../../../src/base/assert.ts';

const id = { flow: 'east->west', topic: 'orders', partition: 0, generation: 1 };
const runLength = 7;
const runStep = 10;

/** The state topic once it is compacted. */
class StateTopic {
  readonly records = new Map<string, StoredSegment>();

  take(book: MapBook): readonly StoredSegment[] {
    const taken = book.takeChanged();
    for (const record of taken) {
      if (record.value === null) this.records.delete(record.key.toString());
      else this.records.set(record.key.toString(), record);
    }
    return taken;
  }

  get segments(): StoredSegment[] {
    return [...this.records.values()].filter(({ key }) => key.toString().startsWith('map/'));
  }

  load(bytesMax?: number): MapBook {
    const book = openMapBook(bytesMax === undefined ? {} : { bytesMax });
    for (const record of this.records.values()) book.load(record);
    return book;
  }
}

function readerOf(book: MapBook): MapReader {
  return must(book.reader(id.flow, id.topic, id.partition), 'the map');
}

/** Runs of 7 records, 3 offsets apart at the source: the hundredth begins at 1000, and at 701. */
function copyRuns(book: MapBook, count: number, state = new StateTopic()): StateTopic {
  const writer = book.writer(id);
  writer.begin(1, { source: 0, target: 1 }, true);
  for (let run = 0; run < count; run += 1) {
    writer.append({
      sourceOffset: run * runStep,
      targetOffset: 1 + run * runLength,
      length: runLength,
    });
    if (run % 5_000 === 0) state.take(book);
  }
  state.take(book);
  return state;
}

/** Where the record is that a group reads next which stands at that source offset. */
function truth(source: number): number {
  const run = Math.floor(source / runStep);
  return 1 + run * runLength + Math.min(runLength, source % runStep);
}

/** Microseconds of CPU, so that what else the machine does is not counted. */
function cpuMicros(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

describe('a map with a million runs', () => {
  const book = openMapBook();
  const state = copyRuns(book, 1_000_000);

  test('takes a few bytes a run, in memory and stored', () => {
    const loaded = state.load();
    for (const { bytes } of [book, loaded]) {
      assert.ok(bytes > 2_000_000 && bytes < 16_000_000, `${bytes} bytes`);
    }
    const stored = state.segments.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    assert.ok(stored < 4_000_000, `${stored} bytes stored`);
    assert.ok(state.segments.length < 500, `${state.segments.length} segments`);
  });

  test('translates in less than 10 microseconds, both ways', () => {
    const reader = readerOf(state.load());
    const count = 20_000;
    const step = 499; // so that each search begins elsewhere
    const forward = (): void => {
      for (let at = 0; at < count; at += 1) reader.forward(BigInt(at * step));
    };
    const inverse = (): void => {
      for (let at = 0; at < count; at += 1) reader.inverse(BigInt(at * 349));
    };
    for (const work of [forward, inverse]) {
      work();
      const micros = Math.min(cpuMicros(work), cpuMicros(work), cpuMicros(work)) / count;
      assert.ok(micros < 10, `${micros} µs`);
    }
  });

  test('is exact everywhere', () => {
    const reader = readerOf(state.load());
    for (let source = 0; source < 10_000_000; source += 9_973) {
      const { offset, certainty } = reader.forward(BigInt(source));
      assert.deepEqual([certainty, Number(offset)], ['exact', truth(source)]);
      const back = reader.inverse(BigInt(truth(source)));
      assert.equal(back.certainty, 'exact');
      assert.equal(truth(Number(back.offset)), truth(source));
    }
  });
});

test('a million records in one run cost a few bytes', () => {
  const book = openMapBook();
  const writer = book.writer(id);
  writer.begin(1, { source: 0, target: 1 }, true);
  for (let at = 0; at < 1_000_000; at += 1_000) {
    writer.append({ sourceOffset: at, targetOffset: at + 1, length: 1_000 });
  }
  const [segment, ...more] = book.takeChanged();
  assert.deepEqual(more, []);
  assert.ok(must(segment?.value, 'a value').length < 20);
  assert.equal(book.bytes, 0);
});

test('thousands of takeovers leave a handful of segments', () => {
  const state = new StateTopic();
  const book = openMapBook();
  const takeovers = 1_000;
  for (let takeover = 0; takeover < takeovers; takeover += 1) {
    const writer = book.writer(id);
    const target = 2 * takeover + 1;
    writer.begin(target, { source: takeover, target }, takeover === 0);
    writer.append({ sourceOffset: takeover, targetOffset: target, length: 1 });
    if (takeover % 3 === 0) state.take(book);
  }
  state.take(book);
  assert.ok(state.segments.length < 10, `${state.segments.length} segments`);
  const reader = readerOf(state.load());
  for (let source = 0; source < takeovers; source += 1) {
    const { offset, certainty } = reader.forward(BigInt(source));
    assert.deepEqual([certainty, Number(offset)], ['exact', 2 * source + 1]);
  }
});

describe('beyond the memory allowed', () => {
  const runs = 200_000;
  const bytesMax = 300_000;

  function check(book: MapBook): void {
    assert.ok(book.bytes <= bytesMax, `${book.bytes} bytes`);
    const reader = readerOf(book);
    let coarse = 0;
    for (let source = 0; source < runs * runStep; source += 97) {
      const { offset, certainty, reason } = reader.forward(BigInt(source));
      const found = Number(offset);
      assert.ok(found <= truth(source), `ahead: ${source} -> ${found}`);
      if (certainty === 'exact') assert.equal(found, truth(source));
      else {
        assert.deepEqual([certainty, reason], ['lower_bound', 'coarsened']);
        coarse += 1;
      }
    }
    assert.ok(coarse > 1_000, 'old runs are coarse');
    // Half of what is allowed, at 3 bytes a run.
    for (
      let source = (runs - bytesMax / 2 / 3) * runStep;
      source < (runs - 1) * runStep;
      source += 3
    ) {
      assert.equal(reader.forward(BigInt(source)).certainty, 'exact');
    }
  }

  test('old runs become lower bounds, recent ones stay exact, while copying', () => {
    const book = openMapBook({ bytesMax });
    const state = copyRuns(book, runs);
    check(book);
    check(state.load(bytesMax));
  });

  test('the same where they are loaded, and what is stored stays exact', () => {
    const state = copyRuns(openMapBook(), runs);
    check(state.load(bytesMax));
    assert.equal(readerOf(state.load()).forward(13n).certainty, 'exact');
  });

  test('the largest map pays', () => {
    const book = openMapBook({ bytesMax });
    const small = book.writer({ ...id, partition: 1 });
    small.begin(1, { source: 0, target: 1 }, true);
    for (let run = 0; run < 1_000; run += 1) {
      small.append({ sourceOffset: run * 2, targetOffset: 1 + run, length: 1 });
    }
    copyRuns(book, runs);
    const reader = must(book.reader(id.flow, id.topic, 1), 'the small map');
    for (let source = 0; source < 2_000; source += 1) {
      assert.equal(reader.forward(BigInt(source)).certainty, 'exact');
    }
  });
});

describe('what the logs no longer hold', () => {
  const runs = 100_000;
  const half = runs / 2;
  const gone = { source: half * runStep, target: 1 + half * runLength };

  test('is dropped when neither has it, and its records are removed from the state topic', () => {
    const book = openMapBook();
    const state = copyRuns(book, runs);
    const before = state.segments.length;
    const other = state.load();
    const writer = book.writer(id);
    writer.setLogStarts({ ...gone, target: -1 });
    assert.equal(state.segments.length, before);
    state.take(book);
    assert.equal(state.segments.length, before, 'the target has the records yet');
    assert.equal(readerOf(book).forward(0n).certainty, 'exact');
    writer.setLogStarts(gone);
    const taken = state.take(book);
    assert.ok(state.segments.length <= before / 2 + 1, `${state.segments.length} of ${before}`);
    const answer = { offset: 0n, certainty: 'lower_bound', reason: 'before_map' };
    assert.deepEqual(readerOf(book).forward(0n), answer);
    assert.equal(readerOf(book).forward(BigInt(gone.source)).certainty, 'exact');
    // Whoever only follows learns of it too, by the frontier alone.
    for (const record of taken) if (record.value !== null) other.load(record);
    other.takeChanged();
    assert.deepEqual(readerOf(other).forward(0n), answer);
  });

  test('goes in portions, and the last copy stays', () => {
    const book = openMapBook({ growingMax: 1, mergedMax: 1 });
    const state = copyRuns(book, 2_500);
    assert.equal(state.segments.length, 2_500);
    book.writer(id).setLogStarts({ source: 1_000_000, target: 1_000_000 });
    const portions: number[] = [];
    for (let taken = state.take(book); taken.length > 0; taken = state.take(book)) {
      portions.push(taken.filter(({ value }) => value === null).length);
    }
    assert.ok(portions.length > 2 && Math.max(...portions) <= 1_000, portions.join());
    assert.equal(state.segments.length, 1);
    assert.deepEqual(book.writer(id).end?.target, 1 + 2_500 * runLength);
    const other = state.load();
    other.takeChanged();
    assert.equal(other.writer(id).end?.target, 1 + 2_500 * runLength);
  });
});

describe('a life that is over', () => {
  /** A source that lost its records from 50,000 on, which then were written anew. */
  function newLife(): { book: MapBook; state: StateTopic } {
    const book = openMapBook();
    const state = copyRuns(book, 10_000);
    const next = book.writer({ ...id, generation: 2 });
    next.begin(100_000, { source: 50_000, target: 100_001 });
    next.append({ sourceOffset: 50_000, targetOffset: 100_001, length: 5 });
    state.take(book);
    return { book, state };
  }

  test('still tells where records from before the new one are, as a lower bound', () => {
    const { state } = newLife();
    const reader = readerOf(state.load());
    const say = ({ offset, certainty, reason }: ReturnType<MapReader['forward']>): string =>
      `${offset ?? '-'} ${certainty} ${reason}`;
    assert.equal(reader.id.generation, 2);
    assert.equal(say(reader.forward(1_000n)), '701 lower_bound generation_changed');
    assert.equal(say(reader.forward(50_002n)), '100003 exact in_run');
    // What the source lost next, and the target has yet.
    assert.equal(say(reader.forward(49_999n)), '35001 lower_bound generation_changed');
    assert.equal(say(reader.inverse(701n)), '0 lower_bound before_map');
    assert.equal(say(reader.inverse(100_002n)), '50001 exact in_run');
  });

  test('tells where what was committed in it stands, by the leader epoch of the commit', () => {
    const { book, state } = newLife();
    book.writer({ ...id, generation: 2 }).setFirstRead({ epoch: 9, source: 50_000 });
    state.take(book);
    const say = (reader: MapReader, offset: bigint, epoch: number): string => {
      const found = reader.forward(offset, epoch);
      return `${found.offset ?? '-'} ${found.certainty} ${found.reason}`;
    };
    const reader = readerOf(state.load());
    // Of what was cut off the copies are still there.
    assert.equal(say(reader, 60_000n, 8), '42001 lower_bound generation_changed');
    assert.equal(say(reader, 50_002n, 8), '35003 lower_bound generation_changed');
    assert.equal(say(reader, 50_000n, 8), '100001 exact in_run');
    assert.equal(say(reader, 50_002n, 9), '100003 exact in_run');
    assert.equal(say(reader, 50_002n, -1), '100003 exact in_run');
    // And once they are not, the start of the new life.
    book.writer({ ...id, generation: 2 }).setLogStarts({ source: 0, target: 90_000 });
    state.take(book);
    assert.equal(say(readerOf(state.load()), 60_000n, 8), '100001 lower_bound generation_changed');
  });

  test('goes when the target holds none of its copies, or another one begins', () => {
    const isOfFirst = (key: string): boolean => key.startsWith('map/1/east->west/orders/0/1/');
    for (const end of ['trimmed', 'superseded']) {
      const { book, state } = newLife();
      assert.ok([...state.records.keys()].some(isOfFirst));
      if (end === 'trimmed') {
        book.writer({ ...id, generation: 2 }).setLogStarts({ source: 0, target: 90_000 });
      } else book.writer({ ...id, generation: 3 }).begin(200_000, { source: 0, target: 200_001 });
      state.take(book);
      assert.deepEqual([...state.records.keys()].filter(isOfFirst), []);
      for (const { key } of book.snapshot()) assert.ok(!isOfFirst(key.toString()));
    }
  });

  test('does not say where the first record of the next one will be', () => {
    const book = openMapBook();
    copyRuns(book, 10);
    book.writer({ ...id, generation: 2 }).begin(500, { source: 0, target: 501 }, true);
    const answer = { offset: 501n, certainty: 'exact', reason: 'at_end' };
    assert.deepEqual(readerOf(book).forward(0n), answer);
  });
});
