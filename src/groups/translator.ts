/**
 * Positions at one site as positions at another: finds the route, goes through the map of each
 * hop, adds what is known of loss and of re-reading. Pure: the maps are in memory.
 *
 * Invariant: the answer is at or before the first record that was not read; the certainty of a
 * route is that of its weakest step.
 */
import type { SiteName } from '../base/ids.ts';
import { weakest, type Certainty } from '../offsets/certainty.ts';
import type { MapBook, MapReader } from '../offsets/map-book.ts';
import { translationRoute, type TranslationRoute } from '../topology/carried.ts';
import type { Topology } from '../topology/model.ts';
import type { TranslatedPosition, TranslationReason } from './answer.ts';

export interface SourcePosition {
  readonly topic: string;
  readonly partition: number;
  /** Next record to read; undefined: no commit. */
  readonly offset: bigint | undefined;
  /** Leader epoch of the commit; -1, or left out: it carried none. */
  readonly leaderEpoch?: number;
}

/** First offset still in a log at the target site; undefined: not known. */
export type LogStart = (topic: string, partition: number) => bigint | undefined;

interface Stepped {
  readonly offset: bigint | undefined;
  readonly certainty: Certainty;
  readonly reason: TranslationReason;
  /** The step that led there, and from where. */
  readonly last?: LastStep | undefined;
}

interface LastStep {
  readonly reader: MapReader;
  readonly isForward: boolean;
  readonly at: bigint;
}

export class Translator {
  readonly #topology: Topology;
  readonly #maps: MapBook;

  constructor(parts: { readonly topology: Topology; readonly maps: MapBook }) {
    this.#topology = parts.topology;
    this.#maps = parts.maps;
  }

  /** One answer per position, in the order given. */
  translate(
    positions: readonly SourcePosition[],
    from: SiteName,
    to: SiteName,
    logStart: LogStart = () => undefined,
  ): readonly TranslatedPosition[] {
    return positions.map((position) => this.#translate(position, from, to, logStart));
  }

  /** Partitions of a topic at `from` that are known to be copied, in any flow. */
  partitions(topic: string, from: SiteName, to: SiteName): readonly number[] {
    const step = translationRoute(this.#topology, topic, from, to)?.steps[0];
    return step === undefined ? [] : this.#maps.partitions(step.flow, step.topic);
  }

  /** Those of the logs whose records cross from there to the target. */
  crossing<T extends { readonly topic: string; readonly partition: number }>(
    logs: readonly T[],
    from: SiteName,
    to: SiteName,
  ): readonly T[] {
    return logs.filter(({ topic }) => this.#crossingRoute(topic, from, to) !== undefined);
  }

  /** Those of them whose copy has not reached the offset, with what is missing at least. */
  behind(
    logs: readonly {
      readonly topic: string;
      readonly partition: number;
      readonly offset: bigint;
    }[],
    from: SiteName,
    to: SiteName,
  ): readonly { readonly log: string; readonly recordsAtLeast: bigint }[] {
    return logs.flatMap(({ topic, partition, offset }) => {
      const route = this.#crossingRoute(topic, from, to);
      if (route === undefined) return [];
      const scannedEnd = this.#lossReader(route, partition)?.frontier?.scannedEnd ?? 0;
      const missing = offset - BigInt(Math.max(0, scannedEnd));
      return missing > 0n ? [{ log: `${topic}/${partition}`, recordsAtLeast: missing }] : [];
    });
  }

  /** When the end of the source was last seen, over all flows from it to the target; wall clock. */
  sourceEndAsOfMs(
    positions: readonly SourcePosition[],
    from: SiteName,
    to: SiteName,
  ): number | undefined {
    const seen = positions.flatMap(({ topic, partition }) => {
      const route = translationRoute(this.#topology, topic, from, to);
      const asOf = this.#lossReader(route, partition)?.frontier?.sourceEndAsOfMs ?? -1;
      return asOf < 0 ? [] : [asOf];
    });
    return seen.length === 0 ? undefined : Math.min(...seen);
  }

  /** Age of the oldest record not copied, and records a second written, when last seen. */
  lossRate(
    positions: readonly SourcePosition[],
    from: SiteName,
    to: SiteName,
  ): { readonly seconds: number | undefined; readonly perSecond: number | undefined } {
    let seconds: number | undefined;
    let perSecond: number | undefined;
    for (const { topic, partition } of positions) {
      const route = translationRoute(this.#topology, topic, from, to);
      const frontier = this.#lossReader(route, partition)?.frontier;
      if (frontier === undefined) continue;
      if (frontier.lagSeconds >= 0) seconds = Math.max(seconds ?? 0, frontier.lagSeconds);
      if (frontier.sourceRate >= 0) perSecond = (perSecond ?? 0) + frontier.sourceRate;
    }
    return { seconds, perSecond };
  }

  /** Of a topic whose records cross from there to the target. */
  #crossingRoute(topic: string, from: SiteName, to: SiteName): TranslationRoute | undefined {
    const route = translationRoute(this.#topology, topic, from, to);
    return route?.steps[0]?.direction === 'forward' ? route : undefined;
  }

  #translate(
    position: SourcePosition,
    from: SiteName,
    to: SiteName,
    logStart: LogStart,
  ): TranslatedPosition {
    const { topic, partition, offset } = position;
    const route = translationRoute(this.#topology, topic, from, to);
    const source = { topic, partition, offset };
    if (route === undefined) {
      const target = { topic, partition, offset: undefined };
      return { ...blank, source, target, certainty: 'unknown', reason: 'not_replicated' };
    }
    const first = route.steps[0];
    const reader = first && this.#maps.reader(first.flow, first.topic, partition);
    const found = this.#through(route, position);
    const start = logStart(route.topic, partition);
    const isTrimmed = found.offset !== undefined && start !== undefined && found.offset < start;
    const target = { topic: route.topic, partition, offset: isTrimmed ? start : found.offset };
    const skipped =
      found.offset === undefined ? undefined : skippedBy(found.last, isTrimmed ? start : undefined);
    const isLost = (skipped ?? 0n) > 0n || (isTrimmed && found.reason !== 'at_end');
    const isGone = isLost && found.certainty === 'exact';
    return {
      source,
      target,
      // What stood there was not copied, or has left the target's log: the earliest that is held.
      certainty: isGone ? 'lower_bound' : found.certainty,
      reason: isGone ? 'before_map' : found.reason,
      notHereAtLeast: this.#notHere(route, partition, offset),
      reread: this.#reread(route, partition, offset, target.offset, found.certainty),
      skipped,
      generation: reader?.id.generation ?? 1,
    };
  }

  #through(route: TranslationRoute, { partition, offset, ...more }: SourcePosition): Stepped {
    // Of the log that it was committed in, which the first step leaves.
    let leaderEpoch = more.leaderEpoch ?? -1;
    let at: Stepped = { offset: offset ?? 0n, certainty: 'exact', reason: 'same_log' };
    let before: { readonly reader: MapReader; readonly at: bigint } | undefined;
    let last: LastStep | undefined;
    for (const step of route.steps) {
      const reader = this.#maps.reader(step.flow, step.topic, partition);
      if (reader === undefined || at.offset === undefined) {
        return { offset: undefined, certainty: 'unknown', reason: 'no_map' };
      }
      last = { reader, isForward: step.direction === 'forward', at: at.offset };
      let next: Stepped;
      if (step.direction === 'inverse') next = reader.inverse(at.offset);
      else if (before === undefined || isOneLife(before, reader))
        next = reader.forward(at.offset, leaderEpoch);
      else next = otherLife;
      leaderEpoch = -1;
      before = step.direction === 'inverse' ? { reader, at: at.offset } : undefined;
      // The reason told is that of the step that made the answer uncertain.
      const isWorse = next.certainty !== 'exact' || at.certainty === 'exact';
      const certainty = weakest([at.certainty, next.certainty]);
      at = { offset: next.offset, reason: isWorse ? next.reason : at.reason, certainty };
    }
    if (offset !== undefined || at.offset === undefined) return { ...at, last };
    return { offset: at.offset, certainty: 'lower_bound', reason: 'no_commit', last };
  }

  /**
   * The map of the hop that leaves the source for the target, where records may not have crossed.
   */
  #lossReader(route: TranslationRoute | undefined, partition: number): MapReader | undefined {
    const step = route?.steps.find(({ direction }) => direction === 'forward');
    return step && this.#maps.reader(step.flow, step.topic, partition);
  }

  /**
   * Only for a topic born at the source: of other sites' records the origin has all. What the group
   * has read there was written there, also when the end was seen before that.
   */
  #notHere(
    route: TranslationRoute,
    partition: number,
    offset: bigint | undefined,
  ): bigint | undefined {
    if (route.steps.every(({ direction }) => direction === 'inverse')) return 0n;
    if (route.steps[0]?.direction !== 'forward') return undefined;
    const frontier = this.#lossReader(route, partition)?.frontier;
    const isSeen = frontier !== undefined && frontier.sourceEnd >= 0;
    const sourceEnd = Math.max(frontier?.sourceEnd ?? -1, Number(offset ?? 0n));
    const missing = sourceEnd - Math.max(0, frontier?.scannedEnd ?? 0);
    return missing > 0 ? BigInt(missing) : isSeen ? 0n : undefined;
  }

  /** Records at the source between what the answer stands for and the position: at most so many. */
  #reread(
    route: TranslationRoute,
    partition: number,
    offset: bigint | undefined,
    target: bigint | undefined,
    certainty: Certainty,
  ): bigint | undefined {
    if (certainty === 'exact') return 0n;
    const [step, ...more] = route.steps;
    if (step === undefined || more.length > 0 || target === undefined) return undefined;
    const reader = this.#maps.reader(step.flow, step.topic, partition);
    if (reader === undefined || offset === undefined) return undefined;
    const back = step.direction === 'forward' ? reader.inverse(target) : reader.forward(target);
    if (back.offset === undefined) return undefined;
    return back.offset < offset ? offset - back.offset : 0n;
  }
}

/**
 * Offsets of the log that the last step comes from, between where it stands there and what the
 * first record stands for that the target holds. What that log itself had dropped does not count.
 * @param start of the target's log, when that lies behind what was found
 */
function skippedBy(last: LastStep | undefined, start: bigint | undefined): bigint | undefined {
  if (last === undefined) return 0n;
  const { reader, isForward, at } = last;
  const { logStarts, copiedFrom } = reader;
  const own = BigInt(isForward ? logStarts.source : logStarts.target);
  let held = isForward ? BigInt(copiedFrom) : 0n;
  if (start !== undefined) {
    const back = isForward ? reader.inverse(start) : reader.forward(start);
    if (back.offset === undefined) return undefined;
    if (back.offset > held) held = back.offset;
  }
  const from = at > own ? at : own;
  return held > from ? held - from : 0n;
}

/** From the earliest copy, as what is between there and the truth cannot be told. */
const otherLife: Stepped = {
  offset: 0n,
  certainty: 'lower_bound',
  reason: 'generation_changed',
};

/**
 * Back to a log and out again speaks of one life of it: its offsets mean nothing in another. Each
 * flow counts the lives that it has seen.
 */
function isOneLife(
  back: { readonly reader: MapReader; readonly at: bigint },
  out: MapReader,
): boolean {
  return back.reader.id.generation === out.id.generation && !back.reader.isInEarlierLife(back.at);
}

const blank = {
  notHereAtLeast: undefined,
  reread: undefined,
  skipped: undefined,
  generation: 1,
} as const;
