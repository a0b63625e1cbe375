/**
 * Which lane each topic of a flow is carried in: the one that the topology asks for, but a topic
 * that is compacted, at either end, is always stamped. Compaction takes records out of the batches
 * of both logs, so that batches would have to be opened all the same, and where copying stands
 * could be told from stamps only.
 */
import type { Clock } from '../base/clock.ts';
import { isMeshError } from '../base/errors.ts';
import type { Cluster } from '../kafka/cluster.ts';
import type { CopyKey } from './copy-journal.ts';
import type { PassJournal } from './pass-journal.ts';
import { wantedLane } from '../topology/lane.ts';
import type { FlowSettings, Lane } from '../topology/model.ts';

export interface TopicLane {
  readonly lane: Lane;
  /** Shown with the partitions of the topic; empty when there is nothing to say. */
  readonly why: string;
}

/** Whether copies of the partition may carry no stamps, so that the journal alone tells of them. */
export function isPassed(
  { passes, lanes }: { readonly passes: Pick<PassJournal, 'has'>; readonly lanes: TopicLanes },
  key: CopyKey,
): boolean {
  return passes.has(key) || lanes.of(key.topic).lane === 'pass';
}

export interface LaneTopic {
  readonly topic: string;
  readonly remoteTopic: string;
}

const rereadMsDefault = 60_000;
const stamped: TopicLane = { lane: 'stamp', why: '' };
const passed: TopicLane = { lane: 'pass', why: 'pass lane' };

/** By topic: its cleanup.policy, or why that is not known. */
type Policies = ReadonlyMap<string, { readonly policy?: string; readonly why?: string }>;

export class TopicLanes {
  readonly #settings: Pick<FlowSettings, 'from' | 'to' | 'lane'>;
  readonly #source: Pick<Cluster, 'topicConfigs'>;
  readonly #target: Pick<Cluster, 'topicConfigs'>;
  readonly #clock: Clock;
  readonly #rereadMs: number;
  readonly #lanes = new Map<string, { readonly of: TopicLane; readonly dueMs: number }>();

  constructor(
    settings: Pick<FlowSettings, 'from' | 'to' | 'lane'>,
    deps: {
      readonly source: Pick<Cluster, 'topicConfigs'>;
      readonly target: Pick<Cluster, 'topicConfigs'>;
      readonly clock: Clock;
      readonly rereadMs?: number;
    },
  ) {
    this.#settings = settings;
    this.#source = deps.source;
    this.#target = deps.target;
    this.#clock = deps.clock;
    this.#rereadMs = deps.rereadMs ?? rereadMsDefault;
  }

  /** As the last round found it. */
  of(topic: string): TopicLane {
    return this.#lanes.get(topic)?.of ?? stamped;
  }

  /**
   * Looks at the policies of topics that are to be passed: when they are new, and each minute.
   * Returns whether it looked at any.
   * @throws MeshError a transient one, when a cluster does not answer
   */
  async round(topics: readonly LaneTopic[]): Promise<boolean> {
    const now = this.#clock.monotonicMs();
    const due = topics.filter(({ topic }) => {
      if (wantedLane(this.#settings, topic) === 'stamp') return false;
      return now >= (this.#lanes.get(topic)?.dueMs ?? -Infinity);
    });
    if (due.length === 0) return false;
    const { from, to } = this.#settings;
    const names = (key: keyof LaneTopic): string[] => due.map((one) => one[key]);
    const [source, target] = await Promise.all([
      readPolicies(this.#source, names('topic')),
      readPolicies(this.#target, names('remoteTopic')),
    ]);
    for (const { topic, remoteTopic } of due) {
      const why = reason(source, topic, from) ?? reason(target, remoteTopic, to);
      const of: TopicLane = why === undefined ? passed : { lane: 'stamp', why };
      this.#lanes.set(topic, { of, dueMs: now + this.#rereadMs });
    }
    return true;
  }
}

async function readPolicies(
  cluster: Pick<Cluster, 'topicConfigs'>,
  topics: readonly string[],
): Promise<Policies> {
  try {
    const configs = await cluster.topicConfigs(topics);
    return new Map(
      [...configs].map(([topic, entries]) => {
        const policy = entries.find(({ name }) => name === 'cleanup.policy')?.value ?? 'not told';
        return [topic, { policy }];
      }),
    );
  } catch (error) {
    if (!isMeshError(error) || error.retriable) throw error;
    const [only] = topics;
    if (topics.length === 1 && only !== undefined) return new Map([[only, { why: error.message }]]);
    // One that may not be looked at must not decide for the others.
    const each = await Promise.all(topics.map((topic) => readPolicies(cluster, [topic])));
    return new Map(each.flatMap((found) => [...found]));
  }
}

/** Why the topic cannot be passed; undefined when it can. */
function reason(policies: Policies, topic: string, site: string): string | undefined {
  const { policy, why = 'not found' } = policies.get(topic) ?? {};
  if (policy === 'delete') return undefined;
  const found = policy === undefined ? `is not known (${why})` : `is ${policy}`;
  return `stamp lane, not pass: cleanup.policy of ${topic} at ${site} ${found}`;
}
