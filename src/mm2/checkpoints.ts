/**
 * Positions of other sites' groups, translated to this one, into `<site>.checkpoints.internal`: as
 * they change, and all of them now and then, since maps and logs change too.
 *
 * Invariant: what is written is at or before the first record that the group has not read, and
 * still in the log; what cannot be said is not written, and withdrawn where it was.
 */
import { nextTurn } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { isMeshError, toError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { rounds } from '../base/rounds.ts';
import type { TranslatedPosition, TranslationReason } from '../groups/answer.ts';
import type { GroupCluster } from '../groups/group-ports.ts';
import type { PositionsStore } from '../groups/positions-store.ts';
import type { Translator } from '../groups/translator.ts';
import { groupDeclaration } from '../topology/groups.ts';
import type { Topology } from '../topology/model.ts';
import type { CheckpointTopic } from './checkpoint-topic.ts';
import type { Checkpoint } from './format.ts';

export interface CheckpointsOptions {
  readonly site: SiteName;
  readonly topology: () => Topology;
  readonly positions: PositionsStore;
  readonly translator: () => Translator;
  /** This site's own Kafka. */
  readonly cluster: Pick<GroupCluster, 'listOffsets'>;
  /** The topic of that site's checkpoints, made when it is not there, read to its end. */
  readonly open: (from: SiteName) => Promise<CheckpointTopic>;
  readonly intervalMs?: number;
  /** How often everything is looked at, changed or not. */
  readonly wholeMs?: number;
}

interface GroupCheckpoints {
  readonly group: string;
  readonly checkpoints: readonly Checkpoint[];
}

const groupsAtOnce = 200;
const unknownTopic = 3;

/** Better is to be expected soon, though the position stays as it is. */
const passing: ReadonlySet<TranslationReason> = new Set([
  'not_copied_yet',
  'not_covered',
  'no_map',
]);

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #deps: Deps;
  readonly #topics = new Map<SiteName, CheckpointTopic>();
  #changed = new Map<SiteName, Set<string>>();
  #wholeAtMs = -Infinity;

  constructor(options: CheckpointsOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.positions.onChange((change) => {
      if (change.kind !== 'positions') return;
      for (const { site, group } of change.changed) this.#note(site, group);
    });
    const { intervalMs = 1_000 } = this.#options;
    const options = { intervalMs, failed: 'checkpoints not written' };
    await rounds(() => this.round(), options, this.#deps, signal);
    stopListening();
  }

  async round(): Promise<void> {
    const { site, topology, positions } = this.#options;
    const nowMs = this.#deps.clock.monotonicMs();
    const isWhole = nowMs - this.#wholeAtMs >= (this.#options.wholeMs ?? 60_000);
    const changed = this.#changed;
    this.#changed = new Map();
    if (isWhole) this.#wholeAtMs = nowMs;
    const failures: Error[] = [];
    for (const from of topology().sites.keys()) {
      if (from === site) continue;
      const groups = isWhole ? positions.groups(from) : [...(changed.get(from) ?? [])];
      try {
        await this.#write(from, groups);
      } catch (error) {
        if (isMeshError(error, 'aborted')) throw error;
        failures.push(toError(error));
        for (const group of groups) this.#note(from, group);
      }
    }
    const [first] = failures;
    if (first !== undefined) throw first;
  }

  #note(site: SiteName, group: string): void {
    if (site === this.#options.site) return;
    const groups = this.#changed.get(site);
    if (groups === undefined) this.#changed.set(site, new Set([group]));
    else groups.add(group);
  }

  async #write(from: SiteName, groups: readonly string[]): Promise<void> {
    const { topology, site } = this.#options;
    const isFlow = topology().flows.some((flow) => flow.from === from && flow.to === site);
    if (isFlow) await this.#topic(from);
    for (let at = 0; at < groups.length; at += groupsAtOnce) {
      const found = await this.#translate(from, groups.slice(at, at + groupsAtOnce));
      // Of sites whose records never come here there is nothing to say, and no topic is made.
      const isAny = found.some(({ checkpoints }) => checkpoints.length > 0);
      const topic = isAny ? await this.#topic(from) : this.#topics.get(from);
      for (const { group, checkpoints } of found) topic?.want(group, checkpoints);
      await nextTurn();
    }
    const topic = this.#topics.get(from);
    await topic?.write();
    await topic?.tidy();
  }

  async #topic(from: SiteName): Promise<CheckpointTopic> {
    const known = this.#topics.get(from);
    if (known !== undefined) return known;
    const topic = await this.#options.open(from);
    this.#topics.set(from, topic);
    return topic;
  }

  async #translate(from: SiteName, groups: readonly string[]): Promise<GroupCheckpoints[]> {
    const { site, topology, positions, translator } = this.#options;
    const translate = translator();
    const declared = topology().groups;
    const found = groups.map((group) => {
      const isIncluded = groupDeclaration(declared, group).isIncluded;
      const known = isIncluded ? positions.positions(from, group) : [];
      const committed = known.filter(({ offset }) => offset !== undefined);
      const translated = translate.translate(committed, from, site);
      if (translated.some(({ reason }) => passing.has(reason))) this.#note(from, group);
      return { group, committed, translated };
    });
    const starts = await this.#starts(found.flatMap(({ translated }) => translated));
    return found.map(({ group, committed, translated }) => {
      const checkpoints = translated.flatMap(({ source, target }, at): Checkpoint[] => {
        const { topic, partition } = target;
        const start = starts.get(`${topic}/${partition}`);
        if (source.offset === undefined || target.offset === undefined || start === 'gone') {
          return [];
        }
        // A client that seeks to what is not held any more would start wherever its default says.
        const offset = start !== undefined && start > target.offset ? start : target.offset;
        const metadata = committed[at]?.metadata ?? '';
        return [{ group, topic, partition, upstreamOffset: source.offset, offset, metadata }];
      });
      return { group, checkpoints };
    });
  }

  /** First offsets still held here, by `topic/partition`; `gone`: there is no such topic. */
  async #starts(
    positions: readonly TranslatedPosition[],
  ): Promise<ReadonlyMap<string, bigint | 'gone'>> {
    const targets = new Map(
      positions
        .filter(({ target }) => target.offset !== undefined)
        .map(({ target: { topic, partition } }) => [`${topic}/${partition}`, { topic, partition }]),
    );
    if (targets.size === 0) return new Map();
    const listed = await this.#options.cluster.listOffsets([...targets.values()], 'earliest');
    const starts = new Map<string, bigint | 'gone'>();
    for (const { topic, partition, errorCode, offset } of listed) {
      const name = `${topic}/${partition}`;
      if (errorCode === unknownTopic) starts.set(name, 'gone');
      else if (errorCode === 0) starts.set(name, offset);
    }
    return starts;
  }
}
