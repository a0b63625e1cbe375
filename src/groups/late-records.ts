/**
 * What comes late: records that were written at a site that was lost, had not crossed when a group
 * failed over from it, and cross by themselves when it is back. Each stretch of them is noted when
 * the group moves, and followed until it is here; kept in `__causeway-groups`.
 *
 * ```
 *   the log at the lost site   ---- crossed ----|--- written, not crossed ---|--- written since ---
 *                                              from                          to
 * ```
 *
 * `from` is how far the copy was when the group failed over, `to` where the log ended when the site
 * was first seen again. One agent of the site follows a stretch: the one that carries its
 * partition.
 */
import type { Deps } from '../base/deps.ts';
import { flowId, type FlowId, type SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import type { StateRecord } from '../kafka/state-records.ts';
import type { MapBook, MapReader } from '../offsets/map-book.ts';
import { remoteTopicName } from '../topology/names.ts';
import type { TranslateAnswer } from './answer.ts';
import { lateEvent, type GroupEvent } from './group-event.ts';
import { lateKey, lateRecord, parseLate, type LateStretch } from './stored-late.ts';

export interface LateOptions {
  readonly site: SiteName;
  readonly maps: MapBook;
  /** One agent of the site follows a partition. */
  readonly owns: (log: string, from: SiteName) => boolean;
  readonly append: (records: readonly StateRecord[]) => Promise<void>;
  readonly onEvent: (event: GroupEvent) => void;
}

const roundMs = 500;
/** As long as events are kept. */
const keptMs = 30 * 24 * 60 * 60 * 1000;
const stretchesMax = 20_000;
const groupsNamedMax = 20;

export class LateRecords {
  readonly #options: LateOptions;
  readonly #deps: Deps;
  /** By their keys, oldest first. */
  readonly #stretches = new Map<string, LateStretch>();

  constructor(options: LateOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  list(): readonly LateStretch[] {
    return [...this.#stretches.values()];
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const found = parseLate(record);
    if (found === undefined) return false;
    if (found.stretch === undefined) this.#stretches.delete(found.key);
    else this.#stretches.set(found.key, found.stretch);
    return true;
  }

  /** Notes what a group that fails over now goes past; resolves when it is stored. */
  async note(
    { group, from, positions }: TranslateAnswer,
    isSourceThere: boolean,
    as?: string,
  ): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const { site, maps } = this.#options;
    const flow = flowId(from, site);
    const noted: LateStretch[] = [];
    for (const { source, target } of positions) {
      const { topic, partition } = source;
      const reader = maps.reader(flow, topic, partition);
      const frontier = reader?.frontier;
      // Only what crosses on the straight way.
      if (reader === undefined || frontier === undefined) continue;
      if (target.topic !== remoteTopicName(from, topic)) continue;
      const began = BigInt(frontier.scannedEnd);
      const seen = BigInt(Math.max(frontier.sourceEnd, Number(source.offset ?? 0n)));
      const to = isSourceThere ? seen : undefined;
      if (to !== undefined && to <= began) continue;
      noted.push(
        withGroup(
          this.#open(flow, topic, partition, began) ?? {
            flow,
            topic,
            partition,
            generation: reader.id.generation,
            from: began,
            to,
            atLeast: seen > began ? seen - began : 0n,
            state: to === undefined ? 'waiting' : 'crossing',
            target: undefined,
            records: undefined,
            groups: [],
            moreGroups: 0,
            failedOverAtMs: nowMs,
            seenAtMs: to === undefined ? undefined : nowMs,
            endedAtMs: undefined,
          },
          group,
          as,
        ),
      );
    }
    await this.#store(noted);
  }

  async run(signal: AbortSignal): Promise<void> {
    const options = { intervalMs: roundMs, failed: 'late records not followed' };
    await rounds(() => this.#round(), options, this.#deps, signal);
  }

  #open(flow: FlowId, topic: string, partition: number, from: bigint): LateStretch | undefined {
    const found = this.#stretches.get(lateKey({ flow, topic, partition, from }));
    return found?.state === 'waiting' || found?.state === 'crossing' ? found : undefined;
  }

  async #round(): Promise<void> {
    const { maps, owns, onEvent, append } = this.#options;
    const nowMs = this.#deps.clock.nowMs();
    const changed: LateStretch[] = [];
    const dropped: string[] = [];
    let over = this.#stretches.size - stretchesMax;
    for (const [key, stretch] of this.#stretches) {
      const { flow, topic, partition, endedAtMs } = stretch;
      if (!owns(`${topic}/${partition}`, sourceOf(flow))) continue;
      if (endedAtMs !== undefined) {
        if (over <= 0 && nowMs - endedAtMs < keptMs) continue;
        dropped.push(key);
        over -= 1;
        continue;
      }
      const next = advance(stretch, maps.reader(flow, topic, partition), nowMs);
      if (next === undefined) dropped.push(key);
      else if (next !== stretch) changed.push(next);
    }
    await this.#store(changed);
    for (const one of changed) if (one.endedAtMs !== undefined) onEvent(lateEvent(one));
    if (dropped.length === 0) return;
    await append(dropped.map((key) => ({ key: Buffer.from(key), value: null })));
    for (const key of dropped) this.#stretches.delete(key);
  }

  async #store(stretches: readonly LateStretch[]): Promise<void> {
    if (stretches.length === 0) return;
    await this.#options.append(stretches.map(lateRecord));
    for (const stretch of stretches) this.#stretches.set(lateKey(stretch), stretch);
  }
}

function sourceOf(flow: FlowId): SiteName {
  // A flow is named by its two sites.
  return flow.split('->')[0] as SiteName;
}

function withGroup(stretch: LateStretch, group: string, as: string | undefined): LateStretch {
  const { groups, moreGroups } = stretch;
  if (groups.some((one) => one.group === group && one.as === as)) return stretch;
  if (groups.length >= groupsNamedMax) return { ...stretch, moreGroups: moreGroups + 1 };
  return { ...stretch, groups: [...groups, { group, as }] };
}

/** As it stands by now; undefined: there is nothing late. */
export function advance(
  stretch: LateStretch,
  reader: MapReader | undefined,
  nowMs: number,
): LateStretch | undefined {
  const frontier = reader?.frontier;
  if (reader === undefined || frontier === undefined) return stretch;
  if (reader.id.generation !== stretch.generation) {
    return { ...stretch, state: 'gone', endedAtMs: nowMs };
  }
  const isSeen = frontier.sourceEnd >= 0 && frontier.sourceEndAsOfMs > stretch.failedOverAtMs;
  const { from, seenAtMs = isSeen ? frontier.sourceEndAsOfMs : undefined } = stretch;
  const to = stretch.to ?? (isSeen ? BigInt(frontier.sourceEnd) : undefined);
  if (to === undefined) return stretch;
  if (to <= from) return undefined;
  if (frontier.scannedEnd < Number(to)) {
    return stretch.to === undefined ? { ...stretch, to, seenAtMs, state: 'crossing' } : stretch;
  }
  const records = reader.countBetween(from, to);
  if (records === 0) return undefined;
  const [begin, end] = [reader.forward(from).offset, reader.forward(to).offset];
  const place = { topic: remoteTopicName(sourceOf(stretch.flow), stretch.topic) };
  const target =
    begin === undefined || end === undefined ? undefined : { ...place, from: begin, to: end };
  return { ...stretch, to, seenAtMs, state: 'arrived', target, records, endedAtMs: nowMs };
}
