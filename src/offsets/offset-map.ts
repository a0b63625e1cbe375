/**
 * The offset map of one partition in one life of its topic: from source to target offsets and back.
 *
 * Invariants: a translation never points past the first record that has not been read; it is called
 * exact only when the map knows that very record, or that nothing copied lies before the next one.
 * Of two segments that speak of the same source range the one with the higher takeover counts, and
 * nothing that an older holder says from the beginning of a newer one on counts at all.
 */
import { assert } from '../base/assert.ts';
import type { MapFrontier, MapId, MapTranslation, Run } from './run.ts';
import { Segment } from './segment.ts';
import type { StoredFrontier } from './stored-form.ts';

/** A segment as far as it counts. */
interface Piece {
  readonly segment: Segment;
  readonly from: number;
  /** undefined: as far as the segment reaches, which may still grow. */
  readonly to: number | undefined;
}

/** Runs in a segment before the next one is begun: what grows is stored again each time. */
const runsMax = 1024;

export class OffsetMap {
  readonly id: MapId;
  readonly #segments = new Map<string, Segment>();
  /** Ascending and disjoint; rebuilt when a segment came or went. */
  #pieces: readonly Piece[] | undefined = [];
  #open: Segment | undefined;
  #frontier: StoredFrontier | undefined;
  #takeover: number | undefined;

  constructor(id: MapId) {
    this.id = id;
  }

  get takeover(): number | undefined {
    return this.#takeover;
  }

  get segments(): Iterable<Segment> {
    return this.#segments.values();
  }

  get storedFrontier(): StoredFrontier | undefined {
    return this.#frontier;
  }

  get scannedEnd(): number | undefined {
    const last = this.#view().at(-1);
    return last === undefined ? undefined : endOf(last);
  }

  get start(): { source: number; target: number; isFirst: boolean } | undefined {
    const first = this.#view()[0];
    const run = this.#firstRunFrom(0);
    if (first === undefined || run === undefined) return undefined;
    return { source: first.from, target: run.targetOffset, isFirst: isFirst(first) };
  }

  get end(): { source: number; target: number } | undefined {
    const last = this.#lastRunTo(this.#view().length - 1)?.run;
    if (last === undefined) return undefined;
    return { source: last.sourceOffset + last.length, target: last.targetOffset + last.length };
  }

  get frontier(): MapFrontier | undefined {
    const scannedEnd = this.scannedEnd;
    if (scannedEnd === undefined) return undefined;
    const unknown = { sourceEnd: -1, sourceEndAsOfMs: -1, lagSeconds: -1, sourceRate: -1 };
    const { sourceEnd, sourceEndAsOfMs, lagSeconds, sourceRate } = this.#frontier ?? unknown;
    return { scannedEnd, sourceEnd, sourceEndAsOfMs, lagSeconds, sourceRate };
  }

  // --- writing

  begin(takeover: number, sourceOffset: number, isFirst: boolean): Segment {
    assert(takeover > (this.#takeover ?? 0), 'takeover numbers rise');
    this.#takeover = takeover;
    return this.#openSegment(sourceOffset, isFirst);
  }

  /** Returns the segment that changed. */
  append(run: Run): Segment {
    const open = this.#openOne();
    if (open.count < runsMax) {
      open.append(run);
      return open;
    }
    open.scannedTo(run.sourceOffset);
    const next = this.#openSegment(open.to, false);
    next.append(run);
    return next;
  }

  scannedTo(sourceOffset: number): Segment {
    const open = this.#openOne();
    open.scannedTo(sourceOffset);
    return open;
  }

  /** Takes what was read back, as far as nothing better is known. Returns the segments made. */
  fill(runs: readonly Run[], from: number, to: number, isFirst: boolean): Segment[] {
    const made: Segment[] = [];
    for (const gap of gaps(this.#view(), from, to)) {
      const isFirstHere = isFirst && gap.from === from;
      const options = { takeover: 0, from: gap.from, to: gap.to, isFirst: isFirstHere };
      let segment = new Segment(options);
      for (const run of clipped(runs, gap.from, gap.to)) {
        if (segment.count >= runsMax) {
          made.push(closedAt(segment, run.sourceOffset));
          segment = new Segment({ ...options, from: run.sourceOffset, isFirst: false });
        }
        segment.append(run);
      }
      made.push(segment);
    }
    for (const segment of made) this.put(segment);
    return made;
  }

  setFrontier(frontier: Omit<MapFrontier, 'scannedEnd'>): void {
    this.#frontier = { ...frontier, takeover: this.#takeover ?? 0 };
  }

  // --- loading

  /** Takes a segment in, unless what is known of the same one reaches further. */
  put(segment: Segment): void {
    const key = `${segment.takeover}/${segment.from}`;
    const known = this.#segments.get(key);
    if (known !== undefined && known.to > segment.to) return;
    if (known !== undefined && known.to === segment.to && known.count >= segment.count) return;
    this.#segments.set(key, segment);
    this.#takeover = Math.max(this.#takeover ?? 0, segment.takeover);
    this.#pieces = undefined;
  }

  remove(takeover: number, from: number): void {
    this.#segments.delete(`${takeover}/${from}`);
    this.#pieces = undefined;
  }

  loadFrontier(frontier: StoredFrontier): void {
    const known = this.#frontier;
    const isOlder =
      known !== undefined &&
      (frontier.takeover < known.takeover ||
        (frontier.takeover === known.takeover && frontier.sourceEndAsOfMs < known.sourceEndAsOfMs));
    if (!isOlder) this.#frontier = frontier;
  }

  // --- reading

  forward(offset: bigint): MapTranslation {
    const view = this.#view();
    const at = Number(offset);
    const last = view.at(-1);
    if (last === undefined) return { offset: undefined, certainty: 'unknown', reason: 'no_map' };
    const index = lastIndex(view, (piece) => piece.from <= at);
    const piece = view[index];
    if (piece === undefined) {
      const first = this.#runFrom(0);
      return this.#beforeMap(first?.isContiguous === true ? first.run.targetOffset : undefined);
    }
    if (at < endOf(piece)) return this.#inside(index, piece, at);
    if (piece !== last) return { ...lower(this.#endTarget(index)), reason: 'not_covered' };
    if (at === endOf(piece)) return this.#atEnd();
    return { ...lower(this.#endTarget(index)), reason: 'not_copied_yet' };
  }

  inverse(offset: bigint): MapTranslation {
    const view = this.#view();
    const at = Number(offset);
    const scannedEnd = this.scannedEnd;
    if (scannedEnd === undefined) {
      return { offset: undefined, certainty: 'unknown', reason: 'no_map' };
    }
    const index = lastIndex(view, (_, place) => {
      return (this.#firstRunFrom(place)?.targetOffset ?? Infinity) <= at;
    });
    const piece = view[index];
    const run = piece === undefined ? undefined : lastRun(piece, at, 'target');
    if (run === undefined) return this.#beforeFirstCopy(at, scannedEnd);
    if (at < run.targetOffset + run.length) {
      return { ...exact(run.sourceOffset + at - run.targetOffset), reason: 'in_run' };
    }
    const next = this.#nextRun(index, run);
    if (next?.isContiguous === true) return { ...exact(next.run.sourceOffset), reason: 'in_gap' };
    if (next !== undefined) {
      return { ...lower(BigInt(run.sourceOffset + run.length)), reason: 'not_covered' };
    }
    if (this.#lastRunTo(view.length - 1)?.isContiguous !== true) {
      return { ...lower(BigInt(run.sourceOffset + run.length)), reason: 'not_covered' };
    }
    // Behind the last copy: only our own marker is known to lie there.
    const known = Math.max(run.targetOffset + run.length, (this.#takeover ?? 0) + 1);
    const answer = at <= known ? exact(scannedEnd) : lower(BigInt(scannedEnd));
    return { ...answer, reason: 'at_end' };
  }

  countCopied(from: bigint, to: bigint): { records: bigint; isExact: boolean } {
    const [low, high] = [Number(from), Number(to)];
    let records = 0;
    let covered = 0;
    for (const piece of this.#view()) {
      const begin = Math.max(low, piece.from);
      const end = Math.min(high, endOf(piece));
      if (begin >= end) continue;
      covered += end - begin;
      let index = Math.max(0, piece.segment.lastBySource(begin));
      for (let run = piece.segment.run(index); run !== undefined; run = piece.segment.run(index)) {
        if (run.sourceOffset >= end) break;
        const overlap =
          Math.min(end, run.sourceOffset + run.length) - Math.max(begin, run.sourceOffset);
        records += Math.max(0, overlap);
        index += 1;
      }
    }
    return { records: BigInt(records), isExact: covered >= high - low };
  }

  // --- inner

  #openOne(): Segment {
    const open = this.#open;
    assert(open !== undefined, 'a takeover began before anything was appended');
    return open;
  }

  #openSegment(from: number, isFirst: boolean): Segment {
    const segment = new Segment({ takeover: this.#takeover ?? 0, from, to: from, isFirst });
    this.#open = segment;
    this.#segments.set(`${segment.takeover}/${from}`, segment);
    this.#pieces = undefined;
    return segment;
  }

  #view(): readonly Piece[] {
    this.#pieces ??= effective([...this.#segments.values()]);
    return this.#pieces;
  }

  /** Offset `at` lies in the piece: in one of its runs, or where nothing is ever copied. */
  #inside(index: number, piece: Piece, at: number): MapTranslation {
    const run = lastRun(piece, at, 'source');
    if (run !== undefined && at < run.sourceOffset + run.length) {
      return { ...exact(run.targetOffset + at - run.sourceOffset), reason: 'in_run' };
    }
    const next = run === undefined ? this.#runFrom(index) : this.#nextRun(index, run);
    if (next === undefined) return this.#atEnd();
    if (next.isContiguous) return { ...exact(next.run.targetOffset), reason: 'in_gap' };
    const end =
      run === undefined ? this.#endTarget(index - 1) : BigInt(run.targetOffset + run.length);
    return { ...lower(end), reason: 'not_covered' };
  }

  /** Nothing at or behind the offset is copied yet: the next record to arrive. */
  #atEnd(): MapTranslation {
    const last = this.#lastRunTo(this.#view().length - 1);
    if (last !== undefined) {
      const end = last.run.targetOffset + last.run.length;
      if (last.isContiguous) return { ...exact(end), reason: 'at_end' };
      return { ...lower(BigInt(end)), reason: 'not_covered' };
    }
    const isExact = this.id.generation === 1 && this.#isEmpty();
    return { ...(isExact ? exact(0) : lower(0n)), reason: 'at_end' };
  }

  /** Known for sure that nothing was copied in this generation. */
  #isEmpty(): boolean {
    const view = this.#view();
    const isWhole = view.every((piece, index) => endOf(piece) >= (view[index + 1]?.from ?? 0));
    return isWhole && this.end === undefined && (view[0]?.segment.isFirst ?? false);
  }

  /**
   * Before everything known. When nothing was copied before it, the first copy is the next
   * record.
   */
  #beforeMap(first: number | undefined): MapTranslation {
    const piece = this.#view()[0];
    if (piece !== undefined && isFirst(piece) && first !== undefined) {
      return { ...exact(first), reason: 'in_gap' };
    }
    return { ...lower(0n), reason: 'before_map' };
  }

  /**
   * A target offset below every known copy: the first record of the copy, or nothing copied at
   * all.
   */
  #beforeFirstCopy(at: number, scannedEnd: number): MapTranslation {
    if (this.#runFrom(0)?.isContiguous === true) return this.#beforeMap(this.#view()[0]?.from);
    if (!this.#isEmpty() || at > (this.#takeover ?? 0) + 1)
      return { ...lower(0n), reason: 'before_map' };
    return { ...exact(scannedEnd), reason: 'at_end' };
  }

  #endTarget(index: number): bigint {
    const run = this.#lastRunTo(index)?.run;
    return run === undefined ? 0n : BigInt(run.targetOffset + run.length);
  }

  /** The last run at or before the end of a piece; contiguous when no range between is unknown. */
  #lastRunTo(index: number): { run: Run; isContiguous: boolean } | undefined {
    const view = this.#view();
    let isContiguous = true;
    for (let at = index; at >= 0; at -= 1) {
      const piece = view[at];
      const after = at === index ? undefined : view[at + 1];
      if (piece === undefined) break;
      if (after !== undefined && endOf(piece) < after.from) isContiguous = false;
      const run = lastRun(piece, endOf(piece) - 1, 'source');
      if (run !== undefined) return { run, isContiguous };
    }
    return undefined;
  }

  #firstRunFrom(index: number): Run | undefined {
    return this.#runFrom(index)?.run;
  }

  /** The first run at or behind a piece; contiguous when no range between is unknown. */
  #runFrom(index: number): { run: Run; isContiguous: boolean } | undefined {
    const view = this.#view();
    let isContiguous = true;
    for (let at = index; at < view.length; at += 1) {
      const piece = view[at];
      const before = at === index ? undefined : view[at - 1];
      if (piece === undefined) break;
      if (before !== undefined && endOf(before) < piece.from) isContiguous = false;
      const run = firstRun(piece);
      if (run !== undefined) return { run, isContiguous };
    }
    return undefined;
  }

  #nextRun(index: number, run: Run): { run: Run; isContiguous: boolean } | undefined {
    const view = this.#view();
    const piece = view[index];
    if (piece === undefined) return undefined;
    const own = runAt(piece, piece.segment.lastBySource(run.sourceOffset) + 1);
    if (own !== undefined) return { run: own, isContiguous: true };
    const next = view[index + 1];
    const later = this.#runFrom(index + 1);
    if (next === undefined || later === undefined) return undefined;
    return { ...later, isContiguous: later.isContiguous && endOf(piece) >= next.from };
  }
}

function exact(offset: number): { offset: bigint; certainty: 'exact' } {
  return { offset: BigInt(offset), certainty: 'exact' };
}

function lower(offset: bigint): { offset: bigint; certainty: 'lower_bound' } {
  return { offset, certainty: 'lower_bound' };
}

function endOf(piece: Piece): number {
  return piece.to ?? piece.segment.to;
}

function isFirst(piece: Piece): boolean {
  return piece.segment.isFirst && piece.from === piece.segment.from;
}

/** A run of the piece, cut to what of it counts. */
function runAt(piece: Piece, index: number): Run | undefined {
  const run = piece.segment.run(index);
  if (run === undefined) return undefined;
  const from = Math.max(run.sourceOffset, piece.from);
  const length = Math.min(run.sourceOffset + run.length, endOf(piece)) - from;
  if (length <= 0) return undefined;
  return { sourceOffset: from, targetOffset: run.targetOffset + from - run.sourceOffset, length };
}

function firstRun(piece: Piece): Run | undefined {
  const index = Math.max(0, piece.segment.lastBySource(piece.from));
  return runAt(piece, index) ?? runAt(piece, index + 1);
}

function lastRun(piece: Piece, at: number, by: 'source' | 'target'): Run | undefined {
  const { segment } = piece;
  const found = by === 'source' ? segment.lastBySource(at) : segment.lastByTarget(at);
  const limit = segment.lastBySource(endOf(piece) - 1);
  return runAt(piece, Math.min(found, limit));
}

/** Of pieces for which `holds` is true up to some place and false behind it, the last true one. */
function lastIndex(
  pieces: readonly Piece[],
  holds: (piece: Piece, index: number) => boolean,
): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const piece = pieces[middle];
    if (piece !== undefined && holds(piece, middle)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * What of each segment counts: newer takeovers first, then what was read back, where there is
 * room.
 */
function effective(segments: readonly Segment[]): Piece[] {
  const takeovers = [...new Set(segments.map(({ takeover }) => takeover))].sort((a, b) => b - a);
  let bound = Infinity;
  const pieces: Piece[] = [];
  for (const takeover of takeovers) {
    const own = segments.filter((segment) => segment.takeover === takeover);
    const ordered = own.sort((a, b) => a.from - b.from);
    const before = [...pieces].sort((a, b) => a.from - b.from);
    ordered.forEach((segment, index) => {
      const next = ordered[index + 1]?.from ?? Infinity;
      if (takeover === 0) {
        for (const gap of gaps([...before], segment.from, Math.min(segment.to, next))) {
          pieces.push({ segment, ...gap });
        }
        return;
      }
      const limit = Math.min(bound, next);
      if (segment.from >= limit) return;
      pieces.push({
        segment,
        from: segment.from,
        to: limit === Infinity ? undefined : Math.min(limit, segment.to),
      });
    });
    if (takeover > 0) bound = Math.min(bound, ordered[0]?.from ?? Infinity);
  }
  return pieces.sort((a, b) => a.from - b.from);
}

/** Stretches of [from, to) that no piece covers. */
function gaps(pieces: readonly Piece[], from: number, to: number): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  let at = from;
  for (const piece of pieces) {
    if (piece.from >= to) break;
    if (endOf(piece) <= at) continue;
    if (piece.from > at) found.push({ from: at, to: piece.from });
    at = Math.max(at, endOf(piece));
  }
  if (at < to) found.push({ from: at, to });
  return found;
}

function clipped(runs: readonly Run[], from: number, to: number): Run[] {
  return runs.flatMap((run) => {
    const begin = Math.max(from, run.sourceOffset);
    const length = Math.min(to, run.sourceOffset + run.length) - begin;
    if (length <= 0) return [];
    return [
      { sourceOffset: begin, targetOffset: run.targetOffset + begin - run.sourceOffset, length },
    ];
  });
}

/** The same segment, its range ending where the next one begins. */
function closedAt(segment: Segment, to: number): Segment {
  const { takeover, from, isFirst: first } = segment;
  const closed = new Segment({ takeover, from, to, isFirst: first });
  for (let index = 0; index < segment.count; index += 1) {
    const run = segment.run(index);
    if (run !== undefined) closed.append(run);
  }
  return closed;
}
