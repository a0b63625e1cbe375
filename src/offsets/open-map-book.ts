/** The shelf of all offset maps that an agent knows: see `map-book.ts` for what it promises. */
import type { MapBook, MapReader, MapWriter } from './map-book.ts';
import { LivesReader } from './lives-reader.ts';
import { OffsetMap, type SegmentSizes } from './offset-map.ts';
import { OffsetMapWriter } from './offset-map-writer.ts';
import type { MapId, StoredSegment } from './run.ts';
import {
  frontierKey,
  idText,
  parseKey,
  parseSegment,
  segmentKey,
  segmentValue,
  type MapKey,
} from './stored-form.ts';
import { frontierValue, parseFrontier } from './stored-frontier.ts';

export interface MapLimits extends SegmentSizes {
  /** Memory for the runs of all maps together: beyond it, the largest are coarsened. */
  readonly bytesMax: number;
}

export const defaultMapLimits: MapLimits = {
  growingMax: 256,
  mergedMax: 4096,
  bytesMax: 64 * 1024 * 1024,
};

/**
 * So much more is saved than has to be, or the next run would be too much again; little, as copying
 * waits for it.
 */
const sparedShare = 0.01;
/** Tombstones of a map that are given out at once. */
const droppedMax = 1000;

export function openMapBook(limits: Partial<MapLimits> = {}): MapBook {
  return new Shelf({ ...defaultMapLimits, ...limits });
}

type Generations = Map<number, OffsetMap>;
type Partitions = Map<number, Generations>;

class Shelf implements MapBook {
  readonly #limits: MapLimits;
  /** By flow, then by topic. */
  readonly #maps = new Map<string, Map<string, Partitions>>();
  /** With segments that may have to be stored, dropped, or removed from the state topic. */
  readonly #touched = new Set<OffsetMap>();
  readonly #changedFrontiers = new Set<OffsetMap>();
  /** Tombstones of earlier lives. */
  #retired: StoredSegment[] = [];
  /** Bytes of each map, as last counted. */
  readonly #bytesOf = new Map<OffsetMap, number>();
  #bytes = 0;
  #coarsenAbove: number;

  constructor(limits: MapLimits) {
    this.#limits = limits;
    this.#coarsenAbove = limits.bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  writer(id: MapId): MapWriter {
    const map = this.#map(id);
    return new OffsetMapWriter(map, {
      segments: () => this.#touch(map),
      frontier: () => this.#changedFrontiers.add(map),
    });
  }

  reader(flow: string, topic: string, partition: number): MapReader | undefined {
    const generations = this.#maps.get(flow)?.get(topic)?.get(partition);
    if (generations === undefined) return undefined;
    const [newest, before] = newestFirst(generations);
    return newest === undefined || before === undefined ? newest : new LivesReader(newest, before);
  }

  partitions(flow: string, topic: string): readonly number[] {
    const found = this.#maps.get(flow)?.get(topic)?.keys() ?? [];
    return [...found].sort((a, b) => a - b);
  }

  topics(flow: string): readonly string[] {
    return [...(this.#maps.get(flow)?.keys() ?? [])];
  }

  load(stored: StoredSegment): boolean {
    const key = parseKey(stored.key);
    const isNew = stored.value === null ? this.#remove(key) : this.#put(key, stored.value);
    if (isNew) this.#touch(this.#map(key.id));
    return isNew;
  }

  takeChanged(): readonly StoredSegment[] {
    const changed: StoredSegment[] = [];
    const removed: StoredSegment[] = [];
    for (const map of this.#touched) {
      if (map.segments.isLoose) map.tidy();
      this.#retireBefore(map.id);
      this.#count(map);
      const taken = map.segments.takeChanged(droppedMax);
      for (const segment of taken.changed) {
        changed.push({ key: segmentKey(map.id, segment.key), value: segmentValue(segment) });
      }
      for (const name of taken.dropped) {
        removed.push({ key: segmentKey(map.id, name), value: null });
      }
      const isDone = !map.segments.hasChanged && !map.segments.isLoose;
      if (isDone) this.#touched.delete(map);
    }
    for (const map of this.#changedFrontiers) changed.push(...storedFrontier(map));
    this.#changedFrontiers.clear();
    removed.push(...this.#retired.splice(0, droppedMax));
    return [...changed, ...removed];
  }

  *snapshot(flow?: string): Iterable<StoredSegment> {
    for (const [name, topics] of this.#maps) {
      if (flow !== undefined && name !== flow) continue;
      for (const partitions of topics.values()) {
        for (const generations of partitions.values()) {
          for (const map of generations.values()) {
            for (const segment of map.segments) {
              yield { key: segmentKey(map.id, segment.key), value: segmentValue(segment) };
            }
            yield* storedFrontier(map);
          }
        }
      }
    }
  }

  #map(id: MapId): OffsetMap {
    const topics = getOrMake(this.#maps, id.flow, () => new Map<string, Partitions>());
    const partitions = getOrMake(topics, id.topic, () => new Map<number, Generations>());
    const generations = getOrMake(partitions, id.partition, () => new Map<number, OffsetMap>());
    return getOrMake(generations, id.generation, () => new OffsetMap(id, this.#limits));
  }

  #put(key: MapKey, value: Buffer): boolean {
    if (key.kind === 'segment') return this.#map(key.id).segments.put(parseSegment(key, value));
    return this.#map(key.id).loadFrontier(parseFrontier(idText(key.id), value));
  }

  #remove(key: MapKey): boolean {
    const { flow, topic, partition, generation } = key.id;
    const map = this.#maps.get(flow)?.get(topic)?.get(partition)?.get(generation);
    if (map === undefined || key.kind === 'frontier') return false;
    return map.segments.remove(`${key.takeover}/${key.from}`);
  }

  /** The life before the newest is of use while the target holds copies of it, none before that. */
  #retireBefore({ flow, topic, partition }: MapId): void {
    const generations = this.#maps.get(flow)?.get(topic)?.get(partition);
    if (generations === undefined || generations.size < 2) return;
    const [newest, before, ...more] = newestFirst(generations);
    const targetStart = newest?.storedFrontier?.targetStart ?? -1;
    const isGone = before !== undefined && (before.end?.target ?? 0) <= targetStart;
    for (const map of isGone ? [before, ...more] : more) {
      generations.delete(map.id.generation);
      this.#bytes -= this.#bytesOf.get(map) ?? 0;
      this.#bytesOf.delete(map);
      this.#touched.delete(map);
      this.#changedFrontiers.delete(map);
      for (const { key } of map.segments) {
        this.#retired.push({ key: segmentKey(map.id, key), value: null });
      }
      this.#retired.push({ key: frontierKey(map.id), value: null });
    }
  }

  /** Has it looked at when changes are next taken, and minds the memory. */
  #touch(map: OffsetMap): void {
    this.#touched.add(map);
    this.#count(map);
  }

  #count(map: OffsetMap): void {
    const before = this.#bytesOf.get(map) ?? 0;
    const { bytes } = map.segments;
    if (bytes === before) return;
    this.#bytes += bytes - before;
    if (bytes === 0) this.#bytesOf.delete(map);
    else this.#bytesOf.set(map, bytes);
    if (this.#bytes > this.#coarsenAbove) this.#coarsen();
  }

  /** Coarsens the largest maps until all together have no more than is allowed. */
  #coarsen(): void {
    const { bytesMax } = this.#limits;
    const stuck = new Set<OffsetMap>();
    while (this.#bytes > bytesMax * (1 - sparedShare)) {
      let largest: OffsetMap | undefined;
      for (const [map, bytes] of this.#bytesOf) {
        if (!stuck.has(map) && bytes > (largest?.segments.bytes ?? 0)) largest = map;
      }
      if (largest === undefined) break;
      const before = largest.segments.bytes;
      const excess = this.#bytes - bytesMax * (1 - sparedShare);
      largest.coarsen(Math.max(before * 0.75, before - excess));
      const { bytes } = largest.segments;
      if (bytes >= before) stuck.add(largest);
      this.#touched.add(largest);
      this.#bytes += bytes - before;
      this.#bytesOf.set(largest, bytes);
    }
    this.#coarsenAbove = Math.max(bytesMax, this.#bytes * (1 + sparedShare));
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function newestFirst(generations: Generations): OffsetMap[] {
  return [...generations.values()].sort((a, b) => b.id.generation - a.id.generation);
}

function storedFrontier(map: OffsetMap): StoredSegment[] {
  const frontier = map.storedFrontier;
  return frontier === undefined
    ? []
    : [{ key: frontierKey(map.id), value: frontierValue(frontier) }];
}
