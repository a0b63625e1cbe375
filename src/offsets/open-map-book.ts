/** The shelf of all offset maps that an agent knows: see `map-book.ts` for what it promises. */
import type { MapBook, MapReader, MapWriter } from './map-book.ts';
import { OffsetMap } from './offset-map.ts';
import type { MapFrontier, MapId, Run, StoredSegment } from './run.ts';
import type { Segment } from './segment.ts';
import {
  frontierKey,
  frontierValue,
  parseFrontier,
  parseKey,
  parseSegment,
  segmentKey,
  segmentValue,
} from './stored-form.ts';

/** While nothing moves, what is known of the source's end is told only so often. */
const idleFrontierMs = 30_000;

export function openMapBook(): MapBook {
  return new Shelf();
}

type Generations = Map<number, OffsetMap>;
type Partitions = Map<number, Generations>;

class Shelf implements MapBook {
  /** By flow, then by topic. */
  readonly #maps = new Map<string, Map<string, Partitions>>();
  readonly #changedSegments = new Map<OffsetMap, Set<Segment>>();
  readonly #changedFrontiers = new Set<OffsetMap>();
  readonly #listeners = new Set<(segments: readonly StoredSegment[]) => void>();

  writer(id: MapId): MapWriter {
    const map = this.#map(id);
    return new Writer(map, {
      segment: (segment) => this.#note(map, segment),
      frontier: () => this.#changedFrontiers.add(map),
    });
  }

  reader(flow: string, topic: string, partition: number): MapReader | undefined {
    const generations = this.#maps.get(flow)?.get(topic)?.get(partition);
    if (generations === undefined) return undefined;
    return generations.get(Math.max(...generations.keys()));
  }

  partitions(flow: string, topic: string): readonly number[] {
    const found = this.#maps.get(flow)?.get(topic)?.keys() ?? [];
    return [...found].sort((a, b) => a - b);
  }

  topics(flow: string): readonly string[] {
    return [...(this.#maps.get(flow)?.keys() ?? [])];
  }

  load(stored: StoredSegment): void {
    const key = parseKey(stored.key);
    const map = this.#map(key.id);
    if (key.kind === 'frontier') {
      if (stored.value !== null) map.loadFrontier(parseFrontier(key.id, stored.value));
    } else if (stored.value === null) map.remove(key.takeover, key.from);
    else map.put(parseSegment(key, stored.value));
    this.#tell([stored]);
  }

  takeChanged(): readonly StoredSegment[] {
    if (this.#changedSegments.size === 0 && this.#changedFrontiers.size === 0) return [];
    const changed: StoredSegment[] = [];
    for (const [map, segments] of this.#changedSegments) {
      for (const segment of segments) changed.push(stored(map, segment));
    }
    for (const map of this.#changedFrontiers) changed.push(...storedFrontier(map));
    this.#changedSegments.clear();
    this.#changedFrontiers.clear();
    this.#tell(changed);
    return changed;
  }

  *snapshot(flow?: string): Iterable<StoredSegment> {
    for (const [name, topics] of this.#maps) {
      if (flow !== undefined && name !== flow) continue;
      for (const partitions of topics.values()) {
        for (const generations of partitions.values()) {
          for (const map of generations.values()) {
            for (const segment of map.segments) yield stored(map, segment);
            yield* storedFrontier(map);
          }
        }
      }
    }
  }

  onChanged(listener: (segments: readonly StoredSegment[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #map(id: MapId): OffsetMap {
    const topics = getOrMake(this.#maps, id.flow, () => new Map<string, Partitions>());
    const partitions = getOrMake(topics, id.topic, () => new Map<number, Generations>());
    const generations = getOrMake(partitions, id.partition, () => new Map<number, OffsetMap>());
    return getOrMake(generations, id.generation, () => new OffsetMap(id));
  }

  #note(map: OffsetMap, segment: Segment): void {
    getOrMake(this.#changedSegments, map, () => new Set()).add(segment);
  }

  #tell(segments: readonly StoredSegment[]): void {
    for (const listener of this.#listeners) listener(segments);
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function stored(map: OffsetMap, segment: Segment): StoredSegment {
  return { key: segmentKey(map.id, segment), value: segmentValue(segment) };
}

function storedFrontier(map: OffsetMap): StoredSegment[] {
  const frontier = map.storedFrontier;
  return frontier === undefined
    ? []
    : [{ key: frontierKey(map.id), value: frontierValue(frontier) }];
}

interface Changes {
  segment(segment: Segment): void;
  frontier(): void;
}

class Writer implements MapWriter {
  readonly #map: OffsetMap;
  readonly #changes: Changes;

  constructor(map: OffsetMap, changes: Changes) {
    this.#map = map;
    this.#changes = changes;
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

  get takeover(): number | undefined {
    return this.#map.takeover;
  }

  begin(takeover: number, sourceOffset: number, isFirst = false): void {
    this.#changes.segment(this.#map.begin(takeover, sourceOffset, isFirst));
  }

  append(run: Run): void {
    this.#changes.segment(this.#map.append(run));
  }

  scannedTo(sourceOffset: number): void {
    if (sourceOffset > (this.#map.scannedEnd ?? -1)) {
      this.#changes.segment(this.#map.scannedTo(sourceOffset));
    }
  }

  fill(runs: readonly Run[], sourceFrom: number, sourceTo: number, isFirst = false): void {
    for (const segment of this.#map.fill(runs, sourceFrom, sourceTo, isFirst)) {
      this.#changes.segment(segment);
    }
  }

  setSourceEnd(frontier: Omit<MapFrontier, 'scannedEnd'>): void {
    const before = this.#map.storedFrontier;
    // Always kept here; stored and told to peers when it says something new.
    this.#map.setFrontier(frontier);
    const isSame = before?.sourceEnd === frontier.sourceEnd;
    const isFresh = frontier.sourceEndAsOfMs - this.#toldAsOfMs < idleFrontierMs;
    if (isSame && isFresh) return;
    this.#toldAsOfMs = frontier.sourceEndAsOfMs;
    this.#changes.frontier();
  }

  #toldAsOfMs = -Infinity;
}
