/**
 * All offset maps that an agent knows, its own flows' and its peers'. The maps themselves are in
 * `offset-map.ts`; this is the shelf: finds them, takes stored segments in, gives changed ones out.
 */
import type {
  FirstRead,
  LogStarts,
  MapFrontier,
  MapId,
  MapTranslation,
  Run,
  StoredSegment,
} from './run.ts';

/** What a flow does with the map of a partition that it carries. */
export interface MapWriter {
  readonly id: MapId;
  /**
   * Where the stored map ends: the next source offset, and the target offset behind the last run.
   */
  readonly end: { readonly source: number; readonly target: number } | undefined;
  /** Where what is known begins; `isFirst`: nothing was copied before it. */
  readonly start:
    { readonly source: number; readonly target: number; readonly isFirst: boolean } | undefined;
  /** The next source offset that has been neither copied nor scanned as gap. */
  readonly scannedEnd: number | undefined;
  /**
   * Target offset from which on there may be copies that it does not know; undefined: it does not
   * know how far that goes back.
   */
  readonly targetFrom: number | undefined;
  /** The highest takeover number that is known of it. */
  readonly takeover: number | undefined;
  /**
   * Opens a segment for this takeover: what follows belongs to it, and wins over what a lower
   * takeover says about the same source range.
   * @param began where this holder begins to copy, and to write: what was copied before lies below
   * @param isFirst nothing was copied before
   */
  begin(
    takeover: number,
    began: { readonly source: number; readonly target: number },
    isFirst?: boolean,
  ): void;
  /** Appends at the end; runs must not overlap what is there. */
  append(run: Run): void;
  /** Every source offset below it is in a run or will never be copied. */
  scannedTo(sourceOffset: number): void;
  /** A range read back from the target's headers (older first or later does not matter). */
  fill(runs: readonly Run[], sourceFrom: number, sourceTo: number, isFirst?: boolean): void;
  setSourceEnd(frontier: Omit<MapFrontier, 'scannedEnd'>): void;
  /** Of an older leader epoch: committed in an earlier life. Known once, it stays. */
  setFirstRead(first: FirstRead | undefined): void;
  /** Behind all records of earlier lives, before any of this one. Once known it stays. */
  setFirstTarget(targetOffset: number): void;
  /** What lies before both starts is dropped, here and from the state topic. */
  setLogStarts(starts: LogStarts): void;
}

export interface MapReader {
  readonly id: MapId;
  readonly frontier: MapFrontier | undefined;
  /**
   * Source offset of the next record to read -> target offset of the next record to read.
   * @param leaderEpoch of the record before it, as committed; -1: not known
   */
  forward(offset: bigint, leaderEpoch?: number): MapTranslation;
  /** The same search on the other column. */
  inverse(offset: bigint): MapTranslation;
  /** Where copying began: what lies before was never to be copied. 0: nothing is known to. */
  readonly copiedFrom: number;
  /** First offsets that the logs held when last seen. */
  readonly logStarts: LogStarts;
  /** Copied records of the source offsets [from, to); of coarse stretches, whole blocks only. */
  countBetween(from: bigint, to: bigint): number;
  /**
   * Copies of an earlier life of the source may stand at or behind that target offset: what it
   * becomes at the source says nothing of those.
   */
  isInEarlierLife(targetOffset: bigint): boolean;
}

export interface MapBook {
  /** The map of that life of the topic, made when it is new. */
  writer(id: MapId): MapWriter;
  /**
   * The newest generation of it, which an older one helps with what lies before; undefined: nothing
   * known.
   */
  reader(flow: string, topic: string, partition: number): MapReader | undefined;
  /** Every partition known of that topic in that flow, ascending. */
  partitions(flow: string, topic: string): readonly number[];
  topics(flow: string): readonly string[];

  /** Memory for runs, of all maps. */
  readonly bytes: number;

  /**
   * Takes in a stored or streamed segment or frontier; whether it says anything new.
   * @throws MeshError state_corrupt
   */
  load(segment: StoredSegment): boolean;
  /**
   * What changed since the last call: segments of our own writers, and then tombstones of what
   * others have become part of, or the logs no longer hold. To be stored in that order.
   */
  takeChanged(): readonly StoredSegment[];
  /** Everything, as it would be stored: the snapshot of a watch. */
  snapshot(flow?: string): Iterable<StoredSegment>;
}
