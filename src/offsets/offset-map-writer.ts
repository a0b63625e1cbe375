/** What a flow does with the map of a partition that it carries; tells the shelf what to store. */
import type { MapWriter } from './map-book.ts';
import type { OffsetMap } from './offset-map.ts';
import type { FirstRead, LogStarts, MapFrontier, MapId, Run } from './run.ts';
import type { Began } from './segment.ts';

/** While nothing moves, what is known of the source's end is told only so often. */
const idleFrontierMs = 120_000;

export interface MapChanges {
  segments(): void;
  frontier(): void;
}

export class OffsetMapWriter implements MapWriter {
  readonly #map: OffsetMap;
  readonly #changed: MapChanges;
  #toldAsOfMs = -Infinity;

  constructor(map: OffsetMap, changed: MapChanges) {
    this.#map = map;
    this.#changed = changed;
  }

  get id(): MapId {
    return this.#map.id;
  }

  get end(): MapWriter['end'] {
    return this.#map.end;
  }

  get start(): MapWriter['start'] {
    return this.#map.start;
  }

  get scannedEnd(): number | undefined {
    return this.#map.scannedEnd;
  }

  get targetFrom(): number | undefined {
    return this.#map.targetFrom;
  }

  get takeover(): number | undefined {
    return this.#map.takeover;
  }

  begin(takeover: number, began: Began, isFirst = false): void {
    if (this.#map.begin(takeover, began, isFirst)) this.#changed.frontier();
    this.#changed.segments();
  }

  append(run: Run): void {
    this.#map.append(run);
    this.#changed.segments();
  }

  scannedTo(sourceOffset: number): void {
    if (sourceOffset <= (this.#map.scannedEnd ?? -1)) return;
    this.#map.scannedTo(sourceOffset);
    this.#changed.segments();
  }

  fill(runs: readonly Run[], sourceFrom: number, sourceTo: number, isFirst = false): void {
    this.#map.fill(runs, sourceFrom, sourceTo, isFirst);
    this.#changed.segments();
  }

  setSourceEnd(frontier: Omit<MapFrontier, 'scannedEnd'>): void {
    const isSame = this.#map.sourceEnd === frontier.sourceEnd;
    // Always kept here; stored and told to peers when it says something new.
    this.#map.setFrontier(frontier);
    const isFresh = frontier.sourceEndAsOfMs - this.#toldAsOfMs < idleFrontierMs;
    if (isSame && isFresh) return;
    this.#toldAsOfMs = frontier.sourceEndAsOfMs;
    this.#changed.frontier();
  }

  setFirstRead(first: FirstRead | undefined): void {
    if (first !== undefined && this.#map.setFirstRead(first)) this.#changed.frontier();
  }

  setFirstTarget(targetOffset: number): void {
    if (this.#map.setFirstTarget(targetOffset)) this.#changed.frontier();
  }

  setLogStarts(starts: LogStarts): void {
    if (!this.#map.setLogStarts(starts)) return;
    this.#changed.segments();
    this.#changed.frontier();
  }
}
