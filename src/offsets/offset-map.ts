/**
 * The offset map of one partition in one life of its topic: what its holder writes, what is loaded,
 * and what it answers.
 *
 * Invariant: what is appended goes into one growing segment, and costs about the same however large
 * the map has become.
 */
import { assert } from '../base/assert.ts';
import { cut, endOn, ofRun } from './block.ts';
import type { MapReader, MapWriter } from './map-book.ts';
import { MapSegments } from './map-segments.ts';
import { coarsen, dropSpare, mergeNeighbours } from './map-upkeep.ts';
import { endOf, gaps } from './pieces.ts';
import type { FirstRead, LogStarts, MapFrontier, MapId, MapTranslation, Run } from './run.ts';
import { Segment, type Began } from './segment.ts';
import { noFrontier, type StoredFrontier } from './stored-frontier.ts';
import { forward, inverse } from './translate.ts';

/** Blocks of a segment. */
export interface SegmentSizes {
  /** While it grows: it is stored again with each change. */
  readonly growingMax: number;
  /** Once it is merged with its neighbours. */
  readonly mergedMax: number;
}

export class OffsetMap implements MapReader {
  readonly id: MapId;
  readonly segments = new MapSegments();
  readonly #sizes: SegmentSizes;
  /** Never handed out: it is changed in place, as an idle partition does again and again. */
  #frontier: { -readonly [key in keyof StoredFrontier]: StoredFrontier[key] } | undefined;

  constructor(id: MapId, sizes: SegmentSizes) {
    this.id = id;
    this.#sizes = sizes;
  }

  get takeover(): number | undefined {
    return this.segments.newest === 0 ? undefined : this.segments.newest;
  }

  get storedFrontier(): StoredFrontier | undefined {
    return this.#frontier && { ...this.#frontier, voids: [...this.segments.voids] };
  }

  /** -1: not known. */
  get sourceEnd(): number {
    return (this.#frontier ?? noFrontier).sourceEnd;
  }

  get scannedEnd(): number | undefined {
    const { lastPiece } = this.segments.view;
    return lastPiece && endOf(lastPiece);
  }

  get start(): MapWriter['start'] {
    const { pieces, first, isFirst } = this.segments.view;
    const [piece] = pieces;
    if (piece === undefined || first === undefined) return undefined;
    return { source: piece.from, target: first.block.target, isFirst };
  }

  get end(): MapWriter['end'] {
    const block = this.segments.view.last?.block;
    return block && { source: endOn(block, 'source'), target: endOn(block, 'target') };
  }

  get targetFrom(): number | undefined {
    return this.segments.view.targetFrom;
  }

  get copiedFrom(): number {
    return this.segments.view.copiedFrom;
  }

  get logStarts(): LogStarts {
    const { sourceStart, targetStart } = this.#frontier ?? noFrontier;
    return { source: sourceStart, target: targetStart };
  }

  get frontier(): MapFrontier | undefined {
    const { scannedEnd } = this;
    if (scannedEnd === undefined) return undefined;
    const { sourceEnd, sourceEndAsOfMs, lagSeconds, sourceRate } = this.#frontier ?? noFrontier;
    return { scannedEnd, sourceEnd, sourceEndAsOfMs, lagSeconds, sourceRate };
  }

  // --- writing

  /** Whether it begins before the end: the target lost records. */
  begin(takeover: number, began: Began, isFirst: boolean): boolean {
    assert(takeover > this.segments.newest, 'takeover numbers rise');
    const from = began.source;
    const isBack = from < (this.scannedEnd ?? 0);
    if (isBack) {
      this.segments.addVoid(takeover, from);
      this.#keep({});
    }
    this.#grow(new Segment({ takeover, began, from, to: from, isFirst }));
    dropSpare(this.segments, this.logStarts);
    return isBack;
  }

  append(run: Run): void {
    let growing = this.#growing();
    assert(run.targetOffset >= growing.began.target, 'a holder writes behind what was there');
    if (growing.blocks.count >= this.#sizes.growingMax && !growing.isContinuedBy(run)) {
      const [from, to] = [run.sourceOffset, run.sourceOffset];
      this.scannedTo(from);
      const { takeover, began } = growing;
      growing = this.#grow(new Segment({ takeover, began, from, to, isFirst: false }), 3);
    }
    growing.append(run);
    this.segments.grown();
  }

  scannedTo(sourceOffset: number): void {
    this.#growing().scannedTo(sourceOffset);
    this.segments.grown();
  }

  /** Takes what was read back, as far as nothing better is known. */
  fill(runs: readonly Run[], from: number, to: number, isFirst: boolean): void {
    const { pieces } = this.segments.view;
    for (const gap of gaps(pieces, from, Math.min(to, this.scannedEnd ?? 0))) {
      for (const segment of this.#readBack(runs, gap, isFirst && gap.from === from)) {
        segment.blocks.trim();
        this.segments.add(segment);
      }
    }
    mergeNeighbours(this.segments, this.#sizes.mergedMax);
  }

  setFrontier(seen: Omit<MapFrontier, 'scannedEnd'>): void {
    const known = this.#frontier;
    if (known?.takeover !== this.segments.newest) {
      this.#keep(seen);
      return;
    }
    known.sourceEnd = seen.sourceEnd;
    known.sourceEndAsOfMs = seen.sourceEndAsOfMs;
    known.lagSeconds = seen.lagSeconds;
    known.sourceRate = seen.sourceRate;
  }

  /** Whether it was not known. */
  setFirstRead({ epoch, source }: FirstRead): boolean {
    if ((this.#frontier?.firstEpoch ?? -1) >= 0) return false;
    this.#keep({ firstEpoch: epoch, firstSource: source });
    return true;
  }

  /** Whether it was not known. */
  setFirstTarget(targetOffset: number): boolean {
    if ((this.#frontier?.firstTarget ?? -1) >= 0) return false;
    this.#keep({ firstTarget: targetOffset });
    return true;
  }

  /** Drops what neither log holds any more; whether the logs begin elsewhere than was known. */
  setLogStarts({ source, target }: LogStarts): boolean {
    const known = this.logStarts;
    if (source <= known.source && target <= known.target) return false;
    this.#keep({
      sourceStart: Math.max(source, known.source),
      targetStart: Math.max(target, known.target),
    });
    this.tidy();
    return true;
  }

  // --- loading and upkeep

  /** Whether it says anything new. */
  loadFrontier(frontier: StoredFrontier): boolean {
    let isNews = false;
    for (const [takeover, source] of frontier.voids) {
      isNews = this.segments.addVoid(takeover, source) || isNews;
    }
    const known = this.#frontier;
    const isNewer =
      known === undefined ||
      frontier.takeover > known.takeover ||
      (frontier.takeover === known.takeover && frontier.sourceEndAsOfMs > known.sourceEndAsOfMs);
    if (!isNewer) return isNews;
    const { source, target } = this.logStarts;
    const sourceStart = Math.max(source, frontier.sourceStart);
    const targetStart = Math.max(target, frontier.targetStart);
    if (sourceStart > source || targetStart > target) this.segments.isLoose = true;
    const { firstEpoch, firstSource } =
      (known?.firstEpoch ?? -1) < 0 ? frontier : (known ?? frontier);
    const firstTarget = Math.max(known?.firstTarget ?? -1, frontier.firstTarget);
    this.#frontier = {
      ...frontier,
      sourceStart,
      targetStart,
      firstEpoch,
      firstSource,
      firstTarget,
    };
    return true;
  }

  /** Drops segments that no longer count, or that neither log has records of. */
  tidy(): void {
    dropSpare(this.segments, this.logStarts);
  }

  coarsen(bytesMax: number): void {
    coarsen(this.segments, bytesMax);
    mergeNeighbours(this.segments, this.#sizes.mergedMax);
  }

  // --- reading

  forward(offset: bigint, leaderEpoch = -1): MapTranslation {
    const first = this.#frontier ?? noFrontier;
    const isEarlier =
      this.id.generation > 1 &&
      leaderEpoch >= 0 &&
      leaderEpoch < first.firstEpoch &&
      Number(offset) > first.firstSource;
    if (!isEarlier) return this.#forward(Number(offset));
    const found = this.#forward(first.firstSource);
    if (found.certainty === 'unknown' || found.reason === 'before_map') return found;
    return { ...found, certainty: 'lower_bound', reason: 'generation_changed' };
  }

  inverse(offset: bigint): MapTranslation {
    return inverse(this.segments.view, Number(offset));
  }

  countBetween(from: bigint, to: bigint): number {
    const [begin, end] = [Number(from), Number(to)];
    let count = 0;
    for (const piece of this.segments.view.pieces) {
      const [first, last] = [Math.max(begin, piece.from), Math.min(end, endOf(piece))];
      if (first >= last) continue;
      for (const block of piece.segment.blocks) count += cut(block, first, last)?.records ?? 0;
    }
    return count;
  }

  isInEarlierLife(targetOffset: bigint): boolean {
    if (this.id.generation === 1) return false;
    const firstTarget = this.#frontier?.firstTarget ?? -1;
    if (firstTarget >= 0) return Number(targetOffset) < firstTarget;
    const { targetBegin } = this.segments.view;
    return targetBegin === undefined || Number(targetOffset) < targetBegin;
  }

  // --- inner

  #forward(offset: number): MapTranslation {
    return forward(this.segments.view, offset, this.id.generation === 1);
  }

  #keep(seen: Partial<StoredFrontier>): void {
    const takeover = this.segments.newest;
    this.#frontier = { ...noFrontier, ...this.#frontier, ...seen, takeover };
  }

  #growing(): Segment {
    const { growing } = this.segments;
    assert(growing !== undefined, 'a takeover began before anything was appended');
    return growing;
  }

  /** Begins the segment that grows from now on. */
  #grow(segment: Segment, newest = Infinity): Segment {
    this.segments.grow(segment);
    mergeNeighbours(this.segments, this.#sizes.mergedMax, newest);
    return segment;
  }

  *#readBack(
    runs: readonly Run[],
    gap: { readonly from: number; readonly to: number },
    isFirst: boolean,
  ): Generator<Segment> {
    const { takeover, began } = this.#growing();
    let { from } = gap;
    let segment = new Segment({ takeover, began, ...gap, isFirst });
    for (const run of runs) {
      const block = cut(ofRun(run), gap.from, gap.to);
      if (block === undefined) continue;
      if (segment.blocks.count >= this.#sizes.mergedMax) {
        const { blocks, isFirst: isFirstHere } = segment;
        const range = { takeover, began, from, to: block.source, isFirst: isFirstHere };
        yield new Segment(range, blocks);
        from = block.source;
        segment = new Segment({ takeover, began, from, to: gap.to, isFirst: false });
      }
      segment.blocks.push(block);
    }
    yield segment;
  }
}
