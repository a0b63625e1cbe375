import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isMeshError } from '../../../src/base/errors.ts';
import type { MapBook, MapReader } from '../../../src/offsets/map-book.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import type { MapTranslation, Run, StoredSegment } from '../../../src/offsets/run.ts';
import { must } from '../../../src/base/assert.ts';

const id = { flow: 'east->west', topic: 'orders', partition: 3, generation: 1 };

/** What really happened: every copied record, and how far the source was read. */
interface Truth {
  readonly pairs: { source: number; target: number }[];
  nextSource: number;
  nextTarget: number;
}

type Step =
  | { kind: 'copy'; gaps: readonly number[]; foreign: number }
  | { kind: 'scan'; gap: number }
  | { kind: 'store' }
  | { kind: 'crash'; lose: readonly number[]; readBack: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('copy' as const),
      gaps: fc.array(fc.constantFrom(0, 0, 0, 0, 1, 3), { minLength: 1, maxLength: 9 }),
      foreign: fc.constantFrom(0, 0, 0, 2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('scan' as const), gap: fc.nat({ max: 4 }) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'store' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      lose: fc.array(fc.nat({ max: 9 }), { maxLength: 3 }),
      readBack: fc.boolean(),
    }),
  },
);

/** An agent's life over and over: copies, stores, dies, loses what it stored, takes over. */
class Play {
  readonly truth: Truth = { pairs: [], nextSource: 0, nextTarget: 0 };
  stored = new Map<string, StoredSegment>();
  book: MapBook = openMapBook();

  constructor() {
    this.takeOver(true);
  }

  get writer(): ReturnType<MapBook['writer']> {
    return this.book.writer(id);
  }

  get reader(): MapReader {
    return must(this.book.reader(id.flow, id.topic, id.partition), 'the map');
  }

  runsFrom(target: number): Run[] {
    return this.truth.pairs
      .filter((pair) => pair.target >= target)
      .map(({ source, target: at }) => ({ sourceOffset: source, targetOffset: at, length: 1 }));
  }

  /** As flow/take-over.ts does it. */
  takeOver(readBack: boolean): void {
    const { truth, writer } = this;
    const marker = truth.nextTarget;
    truth.nextTarget += 1;
    const takeover = Math.max(marker, (writer.takeover ?? 0) + 1);
    const last = truth.pairs.at(-1);
    const { end } = writer;
    if (end === undefined) {
      const position = last === undefined ? 0 : last.source + 1;
      writer.begin(takeover, { source: position, target: marker + 1 }, last === undefined);
      // What was scanned and is forgotten is scanned again, and is a gap again: nextSource stays.
      if (readBack && last !== undefined) writer.fill(this.runsFrom(0), 0, position, true);
      return;
    }
    let position = writer.scannedEnd ?? end.source;
    const scanned = position;
    const unknown = this.runsFrom(end.target).filter((run) => run.sourceOffset >= scanned);
    for (const run of unknown) position = run.sourceOffset + 1;
    writer.begin(takeover, { source: position, target: marker + 1 });
    writer.fill(unknown, scanned, position);
  }

  run(one: Step): void {
    const { truth, writer } = this;
    if (one.kind === 'copy') {
      truth.nextTarget += one.foreign;
      for (const gap of one.gaps) {
        const pair = { source: truth.nextSource + gap, target: truth.nextTarget };
        truth.pairs.push(pair);
        writer.append({ sourceOffset: pair.source, targetOffset: pair.target, length: 1 });
        truth.nextSource = pair.source + 1;
        truth.nextTarget += 1;
      }
    } else if (one.kind === 'scan') {
      truth.nextSource += one.gap;
      writer.scannedTo(truth.nextSource);
    } else if (one.kind === 'store') this.store();
    else {
      const keys = [...this.stored.keys()];
      for (const place of one.lose) this.stored.delete(keys[place] ?? '');
      this.book = openMapBook();
      const entries = [...this.stored.values()];
      for (const segment of one.lose.length > 1 ? entries.reverse() : entries)
        this.book.load(segment);
      this.takeOver(one.readBack);
    }
  }

  store(): void {
    for (const segment of this.book.takeChanged()) {
      this.stored.set(segment.key.toString('latin1'), segment);
    }
  }
}

function checkForward({ pairs, nextTarget }: Truth, offset: number, answer: MapTranslation): void {
  const index = pairs.findIndex(({ source }) => source >= offset);
  const next = index < 0 ? nextTarget : must(pairs[index], 'pair').target;
  const before = index < 0 ? pairs.at(-1) : pairs[index - 1];
  const found = Number(must(answer.offset, 'an answer'));
  const what = `${offset} -> ${found} (${answer.certainty}, ${answer.reason}), next ${next}`;
  assert.ok(found <= next, `ahead: ${what}`);
  if (answer.certainty === 'exact') assert.ok(found > (before?.target ?? -1), `not exact: ${what}`);
}

function checkInverse({ pairs, nextSource }: Truth, offset: number, answer: MapTranslation): void {
  const index = pairs.findIndex(({ target }) => target >= offset);
  const next = index < 0 ? nextSource : must(pairs[index], 'pair').source;
  const before = index < 0 ? pairs.at(-1) : pairs[index - 1];
  const found = Number(must(answer.offset, 'an answer'));
  const what = `${offset} -> ${found} (${answer.certainty}, ${answer.reason}), next ${next}`;
  assert.ok(found <= next, `ahead: ${what}`);
  if (answer.certainty === 'exact') assert.ok(found > (before?.source ?? -1), `not exact: ${what}`);
}

function checkAll(play: Play, reader: MapReader, isCurrent: boolean): void {
  const { truth } = play;
  for (let offset = 0; offset <= truth.nextSource + 2; offset += 1) {
    const answer = reader.forward(BigInt(offset));
    // An older view of the map answers for the log as it was: never ahead of what came since.
    if (isCurrent) checkForward(truth, offset, answer);
    else if (answer.certainty !== 'exact' || answer.reason === 'in_run')
      checkForward(truth, offset, answer);
  }
  for (let offset = 0; offset <= truth.nextTarget; offset += 1) {
    if (isCurrent) checkInverse(truth, offset, reader.inverse(BigInt(offset)));
  }
}

describe('the offset map', () => {
  test('is never ahead, and exact where it says so, through crashes and lost state', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const play = new Play();
        for (const one of steps) play.run(one);
        checkAll(play, play.reader, true);
        play.store();
        const copy = openMapBook();
        for (const segment of [...play.book.snapshot()].reverse()) copy.load(segment);
        checkAll(play, must(copy.reader(id.flow, id.topic, id.partition), 'the copy'), true);
      }),
      { numRuns: 3000 },
    );
  });

  test('a hole behind the last run that is known is not the end', () => {
    const book = openMapBook({ mergedMax: 1 });
    const writer = book.writer(id);
    // Each takeover copies a record; what the second one told is lost.
    writer.begin(1, { source: 0, target: 2 }, true);
    writer.append({ sourceOffset: 0, targetOffset: 2, length: 1 });
    writer.begin(3, { source: 1, target: 4 });
    writer.append({ sourceOffset: 1, targetOffset: 4, length: 1 });
    writer.begin(5, { source: 2, target: 6 });
    const kept = book.takeChanged().filter(({ key }) => !key.toString().endsWith('/3/1'));
    assert.equal(kept.length, 2);
    const other = openMapBook();
    for (const segment of kept) other.load(segment);
    const reader = must(other.reader(id.flow, id.topic, id.partition), 'the map');
    assert.deepEqual(reader.forward(2n), {
      offset: 3n,
      certainty: 'lower_bound',
      reason: 'not_covered',
    });
    assert.deepEqual(reader.inverse(5n), {
      offset: 1n,
      certainty: 'lower_bound',
      reason: 'not_covered',
    });
  });

  test('everything is exact while nothing was lost', () => {
    const lossless = step.filter((one) => one.kind !== 'crash' || one.lose.length === 0);
    fc.assert(
      fc.property(fc.array(lossless, { minLength: 1, maxLength: 20 }), (steps) => {
        const play = new Play();
        play.run({ kind: 'copy', gaps: [0], foreign: 0 });
        for (const one of steps) {
          if (one.kind === 'crash') play.store();
          play.run(one);
        }
        for (let offset = 0; offset <= play.truth.nextSource; offset += 1) {
          assert.equal(play.reader.forward(BigInt(offset)).certainty, 'exact');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a late write of a frozen holder replaces nothing newer', () => {
    const book = openMapBook();
    const old = book.writer(id);
    old.begin(1, { source: 0, target: 0 }, true);
    old.append({ sourceOffset: 0, targetOffset: 1, length: 100 });
    const early = book.takeChanged();
    old.append({ sourceOffset: 100, targetOffset: 101, length: 50 });
    const late = book.takeChanged();
    const other = openMapBook();
    for (const segment of early) other.load(segment);
    const now = other.writer(id);
    now.begin(200, { source: 100, target: 201 });
    now.append({ sourceOffset: 100, targetOffset: 201, length: 10 });
    for (const segment of late) other.load(segment);
    const reader = must(other.reader(id.flow, id.topic, id.partition), 'map');
    assert.deepEqual(reader.forward(105n), { offset: 206n, certainty: 'exact', reason: 'in_run' });
    assert.deepEqual(reader.forward(130n), {
      offset: 211n,
      certainty: 'lower_bound',
      reason: 'not_copied_yet',
    });
  });

  test('says why: gap, end, ahead of the copy, before the map, no map', () => {
    const book = openMapBook();
    assert.equal(book.reader('east->west', 'orders', 3), undefined);
    const writer = book.writer(id);
    writer.begin(10, { source: 50, target: 11 });
    writer.append({ sourceOffset: 50, targetOffset: 11, length: 5 });
    writer.append({ sourceOffset: 60, targetOffset: 16, length: 5 });
    writer.scannedTo(70);
    const reader = must(book.reader('east->west', 'orders', 3), 'map');
    const say = (offset: bigint): string => {
      const { offset: at, certainty, reason } = reader.forward(offset);
      return `${at ?? '-'} ${certainty} ${reason}`;
    };
    assert.equal(say(52n), '13 exact in_run');
    assert.equal(say(57n), '16 exact in_gap');
    assert.equal(say(66n), '21 exact at_end');
    assert.equal(say(70n), '21 exact at_end');
    assert.equal(say(90n), '21 lower_bound not_copied_yet');
    assert.equal(say(3n), '0 lower_bound before_map');
  });

  test('where the beginning and a later stretch are known, the first copy is not', () => {
    const book = openMapBook({ mergedMax: 0 });
    const writer = book.writer(id);
    writer.begin(1, { source: 3, target: 2 }, true);
    writer.scannedTo(5); // nothing to be copied there
    writer.begin(3, { source: 5, target: 4 });
    writer.append({ sourceOffset: 5, targetOffset: 4, length: 1 });
    writer.begin(6, { source: 6, target: 7 });
    writer.append({ sourceOffset: 6, targetOffset: 7, length: 1 });
    const other = openMapBook();
    for (const one of book.takeChanged()) if (!/\/3\/5$/.test(one.key.toString())) other.load(one);
    const reader = must(other.reader(id.flow, id.topic, id.partition), 'the map');
    assert.deepEqual(reader.forward(5n), { offset: 0n, certainty: 'exact', reason: 'in_gap' });
    assert.deepEqual(reader.forward(2n), {
      offset: 0n,
      certainty: 'lower_bound',
      reason: 'before_map',
    });
    assert.deepEqual(reader.inverse(4n), {
      offset: 5n,
      certainty: 'lower_bound',
      reason: 'not_covered',
    });
  });

  test('a holder goes on when somebody removes what it writes', () => {
    const book = openMapBook();
    const writer = book.writer(id);
    writer.begin(1, { source: 0, target: 2 }, true);
    writer.append({ sourceOffset: 0, targetOffset: 2, length: 1 });
    const [first] = book.takeChanged();
    assert.equal(book.load({ key: must(first, 'a segment').key, value: null }), false);
    writer.append({ sourceOffset: 1, targetOffset: 5, length: 1 });
    const other = openMapBook();
    for (const segment of book.takeChanged()) other.load(segment);
    const reader = must(other.reader(id.flow, id.topic, id.partition), 'the map');
    assert.equal(reader.forward(0n).offset, 2n);
    assert.equal(reader.forward(1n).offset, 5n);
  });

  test('only what changed is given out, and a newer generation answers', () => {
    const book = openMapBook();
    const writer = book.writer(id);
    writer.begin(1, { source: 0, target: 0 }, true);
    writer.append({ sourceOffset: 0, targetOffset: 1, length: 1 });
    assert.equal(book.takeChanged().length, 1);
    assert.equal(book.takeChanged().length, 0);
    const next = book.writer({ ...id, generation: 2 });
    next.begin(5, { source: 0, target: 6 }, true);
    next.append({ sourceOffset: 0, targetOffset: 6, length: 1 });
    assert.equal(book.reader(id.flow, id.topic, 3)?.forward(0n).offset, 6n);
    assert.deepEqual([book.topics(id.flow), book.partitions(id.flow, id.topic)], [['orders'], [3]]);
  });

  test('what cannot be read is an error that names the map and what was found', () => {
    const refused = (key: string, value: Buffer, found: RegExp): void => {
      assert.throws(
        () => openMapBook().load({ key: Buffer.from(key), value }),
        (error) => isMeshError(error, 'state_corrupt') && found.test(error.message),
      );
    };
    refused('map/9/e->w/t/0/1/1/0', Buffer.from([1]), /map\/9.*wanted map\/1/);
    refused('map/1/e->w/t/0/1/1/0', Buffer.from([7, 0, 0, 0]), /e->w\/t\/0\/1: .*format 7/);
    refused('map/1/e->w/t/0/1/1/0', Buffer.from([2, 0, 9, 0, 1, 5, 1]), /ends early/);
    refused(
      'map/1/e->w/t/0/1/1/0',
      Buffer.from([2, 0, 3, 0, 1, 1, 0, 20]),
      /up to 5, behind the end 3/,
    );
    refused('map/1/e->w/t/0/1/1/0', Buffer.from([2, 0, 3, 0, 1, 1, 0, 0]), /without records/);
    refused('end/1/e->w/t/0/1', Buffer.from('{}'), /cannot be read/);
  });
});
