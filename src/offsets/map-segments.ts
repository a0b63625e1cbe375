/**
 * The segments of one map: what is there, what of it counts, and what has to be stored. How they
 * are kept few and small is in `map-upkeep.ts`.
 *
 * Invariant: a segment that is stored goes by a tombstone only, and what replaces it is given out
 * before that.
 */
import { MapView } from './map-view.ts';
import { effective, type Piece, type Voids } from './pieces.ts';
import type { Segment } from './segment.ts';

export class MapSegments {
  readonly #segments = new Map<string, Segment>();
  /** Undefined after more than the end has changed: made anew when it is next asked for. */
  #view: MapView | undefined;
  /** What the holder here writes; its bytes do not count, as it is small. */
  #growing: Segment | undefined;
  #bytes = 0;
  #newest = 0;
  readonly #changed = new Set<Segment>();
  /** Keys of what may be stored and is no longer there. */
  readonly #dropped = new Set<string>();
  readonly #voids = new Map<number, number>();
  /** Something came that may make other segments superfluous. */
  isLoose = false;

  get view(): MapView {
    this.#view ??= new MapView(effective(this.#segments.values(), this.#voids));
    return this.#view;
  }

  /** Memory that coarsening could save some of. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The highest takeover number of those who told anything; 0: none. */
  get newest(): number {
    return this.#newest;
  }

  get growing(): Segment | undefined {
    return this.#growing;
  }

  /** What the holder here writes, as long as nobody is known to have taken over from it. */
  get held(): Segment | undefined {
    const growing = this.#growing;
    return growing === undefined || growing.takeover < this.#newest ? undefined : growing;
  }

  get hasChanged(): boolean {
    return this.#changed.size > 0 || this.#dropped.size > 0;
  }

  [Symbol.iterator](): Iterator<Segment> {
    return this.#segments.values();
  }

  get voids(): Voids {
    return this.#voids;
  }

  /**
   * The target lost its last records: what lower takeovers told of them is void for ever. Whether
   * that is news.
   */
  addVoid(takeover: number, source: number): boolean {
    if (this.#voids.get(takeover) === source) return false;
    this.#voids.set(takeover, source);
    this.#view = undefined;
    this.isLoose = true;
    return true;
  }

  /** Begins the segment that grows from now on, at the end of the map. */
  grow(segment: Segment): void {
    const before = this.#growing;
    const view = this.#view;
    const last = view?.lastPiece;
    before?.blocks.trim();
    this.#growing = segment;
    if (before !== undefined && this.#segments.get(before.key) === before) {
      this.#bytes += before.bytes;
    }
    this.add(segment);
    const isSameHolder = before?.takeover === segment.takeover;
    if (isSameHolder && last?.segment === before && last.limit === Infinity) {
      const piece = { segment, from: segment.from, limit: Infinity, isSplit: false };
      view?.replaceFrom(view.pieces.length, [piece]);
      this.#view = view;
    }
  }

  /** Tells that the segment that grows has grown. */
  grown(): void {
    const growing = this.#growing;
    if (growing === undefined || this.#segments.get(growing.key) !== growing) return;
    this.#changed.add(growing);
    if (this.#view?.lastPiece?.segment !== growing) this.#view = undefined;
  }

  /** Takes in a new segment; it has to be stored. */
  add(segment: Segment): void {
    if (this.#dropped.delete(segment.key)) segment.isStored = true;
    this.#set(segment);
    this.#changed.add(segment);
  }

  /** Takes in what was stored, unless as much is known under its key; whether that is news. */
  put(segment: Segment): boolean {
    const known = this.#segments.get(segment.key);
    if (known !== undefined && known.to >= segment.to) return false;
    segment.isStored = true;
    this.#dropped.delete(segment.key);
    this.isLoose ||= known === undefined;
    this.#set(segment);
    return true;
  }

  /** The same made coarse: what is stored stays as it is. */
  replace(segment: Segment, coarse: Segment): void {
    const isChanged = this.#changed.delete(segment);
    this.#set(coarse);
    if (isChanged) this.#changed.add(coarse);
  }

  /** Its tombstone was stored, here or elsewhere; whether that is news. */
  remove(key: string): boolean {
    this.#dropped.delete(key);
    const segment = this.#segments.get(key);
    if (segment === undefined || segment === this.held) return false;
    this.#unset(segment);
    return true;
  }

  drop(segment: Segment): void {
    this.#unset(segment);
    if (segment.isStored) this.#dropped.add(segment.key);
  }

  /** Segments become others that say the same: theirs are the pieces of the view from there on. */
  exchange(
    parts: readonly Segment[],
    merged: readonly Segment[],
    index: number,
    pieces: readonly Piece[],
  ): void {
    const { view } = this;
    for (const part of parts) this.drop(part);
    for (const segment of merged) this.add(segment);
    view.replaceFrom(index, pieces);
    this.#view = view;
  }

  /** What has to be stored, and then keys of what has to be removed, not more than so many. */
  takeChanged(droppedMax: number): { changed: readonly Segment[]; dropped: readonly string[] } {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const segment of changed) segment.isStored = true;
    const dropped: string[] = [];
    for (const key of this.#dropped) {
      if (dropped.length >= droppedMax) break;
      this.#dropped.delete(key);
      dropped.push(key);
    }
    return { changed, dropped };
  }

  #set(segment: Segment): void {
    const known = this.#segments.get(segment.key);
    if (known !== undefined) this.#unset(known);
    this.#segments.set(segment.key, segment);
    this.#newest = Math.max(this.#newest, segment.takeover);
    if (segment !== this.#growing) this.#bytes += segment.bytes;
    this.#view = undefined;
  }

  #unset(segment: Segment): void {
    this.#changed.delete(segment);
    if (this.#segments.get(segment.key) !== segment) return;
    this.#segments.delete(segment.key);
    if (segment !== this.#growing) this.#bytes -= segment.bytes;
    this.#view = undefined;
  }
}
