/**
 * Keeps the settings of remote topics as those of their sources, by interval. Of the agents of a
 * site the one that holds a topic's first partition does it.
 */
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { TopicConfigEntry } from '../kafka/cluster.ts';
import type { FlowContext } from './flow-context.ts';
import { configChanges, shorterRetention } from './remote-configs.ts';
import { slotOf } from './slot-of.ts';
import type { FlowNotice } from './status.ts';
import type { TopicOwnership, TopicPair } from './topic-ownership.ts';
import type { CarriedTopic } from './topic-upkeep.ts';

type Entries = readonly TopicConfigEntry[];
type Read = ReadonlyMap<string, Entries | Error>;

export class ConfigSync {
  readonly #context: FlowContext;
  readonly #ownership: TopicOwnership;
  #notices: readonly FlowNotice[] = [];
  /** Remote topics that were looked at, and when. */
  readonly #lookedAtMs = new Map<string, number>();

  constructor(context: FlowContext, ownership: TopicOwnership) {
    this.#context = context;
    this.#ownership = ownership;
  }

  get notices(): readonly FlowNotice[] {
    return this.#notices;
  }

  async round(carried: readonly CarriedTopic[]): Promise<void> {
    const { deps, slots, timings } = this.#context;
    const here = carried.filter(({ topic }) => slots.held.has(slotOf(topic, 0)));
    const names = new Set(here.map(({ remoteTopic }) => remoteTopic));
    for (const name of this.#lookedAtMs.keys()) {
      if (!names.has(name)) this.#lookedAtMs.delete(name);
    }
    const nowMs = deps.clock.monotonicMs();
    const pairs = here.flatMap(({ topic, remoteTopic }): TopicPair[] => {
      const remote = this.#context.target.topic(remoteTopic);
      const lookedAtMs = this.#lookedAtMs.get(remoteTopic) ?? -Infinity;
      return remote === undefined || nowMs - lookedAtMs < timings.syncMs ? [] : [{ topic, remote }];
    });
    const kept = this.#notices.filter(({ topic }) => names.has(topic));
    if (pairs.length === 0) this.#notices = kept;
    else this.#notices = await this.#follow(pairs, kept, nowMs);
  }

  async #follow(
    pairs: readonly TopicPair[],
    before: readonly FlowNotice[],
    nowMs: number,
  ): Promise<readonly FlowNotice[]> {
    const { source, target, timings } = this.#context;
    const ours = await this.#ownership.ours(pairs);
    const own = pairs.filter(({ remote }) => ours.has(remote.name));
    const [sources, targets] = await Promise.all([
      source.cluster.tryTopicConfigs(own.map(({ topic }) => topic)),
      target.cluster.tryTopicConfigs(own.map(({ remote }) => remote.name)),
    ]);
    const looked = new Set(pairs.map(({ remote }) => remote.name));
    const notices = before.filter(({ topic }) => !looked.has(topic));
    for (const pair of own) {
      const found = await this.#followOne(pair, sources, targets);
      for (const notice of found) this.#tell(notice, before);
      notices.push(...found);
    }
    for (const { remote } of pairs) {
      // One whose records are not known yet may prove to be ours soon.
      const waitedMs = ours.has(remote.name) ? 0 : timings.syncMs * 0.75;
      this.#lookedAtMs.set(remote.name, nowMs - waitedMs);
    }
    return notices;
  }

  async #followOne(
    { topic, remote }: TopicPair,
    sources: Read,
    targets: Read,
  ): Promise<FlowNotice[]> {
    const { source, settings, target, deps } = this.#context;
    const { name } = remote;
    const [there, here] = [sources.get(topic), targets.get(name)];
    // One of the two is gone: upkeep sees to that.
    if (there === undefined || here === undefined) return [];
    const refused = (why: string): FlowNotice => ({
      kind: 'configs_refused',
      topic: name,
      text: why,
    });
    if (there instanceof Error) return [refused(there.message)];
    if (here instanceof Error) return [refused(here.message)];
    const notices: FlowNotice[] = [];
    const changes = configChanges(there, here, settings.sync.configs);
    if (Object.keys(changes).length > 0) {
      try {
        await target.cluster.alterTopicConfigs(name, changes);
        deps.log.info({ flow: settings.id, topic: name, changes }, 'settings follow the source');
      } catch (error) {
        if (isMeshError(error) && error.retriable) throw error;
        notices.push(refused(errorMessage(error)));
      }
    }
    const shorter = shorterRetention(there, changed(here, changes));
    if (shorter !== undefined) {
      notices.push({ kind: 'retention_shorter', topic: name, text: shorter });
    }
    const surplus = remote.partitions.length - (source.topic(topic)?.partitions.length ?? 0);
    if (surplus > 0) {
      const text = `has ${surplus} partitions more than the source: they stay, and stay empty`;
      notices.push({ kind: 'more_partitions', topic: name, text });
    }
    return notices;
  }

  /** Kept as an event when it is new; shown by `status` for as long as it holds. */
  #tell(notice: FlowNotice, before: readonly FlowNotice[]): void {
    const { kind, topic, text } = notice;
    const isKnown = before.some((one) => one.kind === kind && one.topic === topic);
    if (isKnown) return;
    this.#context.onEvent({ kind, flow: this.#context.settings.id, topic, partition: -1, text });
  }
}

/** As the entries will be. What is taken away falls back to a default that is not known here. */
function changed(entries: Entries, changes: Readonly<Record<string, string | null>>): Entries {
  return entries.flatMap((entry) => {
    const change = changes[entry.name];
    if (change === null) return [];
    return [change === undefined ? entry : { ...entry, value: change }];
  });
}
