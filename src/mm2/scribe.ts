/**
 * What a site tells clients that know MirrorMaker 2. One of its agents writes for all: the one that
 * holds slot 0 of a group of their own; when it is gone another takes over, and begins by reading
 * what stands there.
 *
 * Nothing here is waited for by anything else: what cannot be written is told, tried again, and
 * never stops the agent.
 */
import { isAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { Backoff } from '../base/retry.ts';
import { Scope } from '../base/scope.ts';
import type { ClusterView } from '../flow/cluster-view.ts';
import type { PositionsStore } from '../groups/positions-store.ts';
import type { Translator } from '../groups/translator.ts';
import { deleteRecords } from '../kafka/delete-records.ts';
import type { KafkaCluster } from '../kafka/session.ts';
import type { SlotShare } from '../kafka/slots.ts';
import { openStateLog } from '../kafka/state-topic.ts';
import type { Topology } from '../topology/model.ts';
import { checkpointsTopic, heartbeatsTopic, remoteTopicName } from '../topology/names.ts';
import { CheckpointTopic } from './checkpoint-topic.ts';
import { Checkpoints } from './checkpoints.ts';
import { HeartbeatWatch, writeHeartbeats, type HeartbeatReading } from './heartbeats.ts';
import { checkpointConfigs, ensureTopic, heartbeatConfigs } from './topics.ts';

export interface ScribeParts {
  readonly site: SiteName;
  readonly topology: () => Topology;
  /** This site's own Kafka. */
  readonly cluster: KafkaCluster;
  readonly view: ClusterView;
  readonly positions: PositionsStore;
  readonly translator: () => Translator;
  readonly openDuty: () => SlotShare;
}

/** While this agent writes. */
interface Tenure {
  readonly scope: Scope;
  /** Topics that were made, or found. */
  readonly made: Set<string>;
  /** Something ended that cannot go on by itself. */
  readonly failed: AbortController;
}

const dutySlot = 0;
const lookMs = 1_000;
const againMs = 30_000;
/** Nothing is lost by an answer that comes late: it comes at once when there is something. */
const fetchWaitMs = 5_000;

export class Scribe {
  readonly #parts: ScribeParts;
  readonly #deps: Deps;
  readonly #watches = new Map<SiteName, HeartbeatWatch>();

  constructor(parts: ScribeParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  /** Of each site whose heartbeats come here; empty unless this agent is the one that writes. */
  heartbeats(): readonly HeartbeatReading[] {
    const { site, topology } = this.#parts;
    return topology().flows.flatMap(({ from, to }) =>
      to === site ? (this.#watches.get(from)?.reading() ?? []) : [],
    );
  }

  /** Runs until the signal fires; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#wanted() !== '') {
        await using scope = new Scope();
        const duty = scope.own(this.#parts.openDuty());
        const wanted = this.#wanted();
        while (!isAborted(signal) && this.#wanted() === wanted) {
          if (duty.held.has(dutySlot)) await this.#tenure(wanted, duty, signal);
          await this.#pause(lookMs, signal);
        }
      }
      await this.#pause(lookMs, signal);
    }
  }

  /** What is turned on, as a text; it changes with the topology. */
  #wanted(): string {
    const { checkpoints, heartbeats } = this.#parts.topology().mm2;
    return [...(checkpoints ? ['checkpoints'] : []), ...(heartbeats ? ['heartbeats'] : [])].join();
  }

  /** As long as the duty is ours, and what is wanted stays the same. */
  async #tenure(wanted: string, duty: SlotShare, signal: AbortSignal): Promise<void> {
    const scope = new Scope();
    const tenure: Tenure = { scope, made: new Set(), failed: new AbortController() };
    // Closing the scope closes the logs first, which ends what waits in them.
    if (wanted.includes('checkpoints')) scope.run(this.#writeCheckpoints(tenure));
    if (wanted.includes('heartbeats')) scope.run(this.#writeHeartbeats(tenure));
    const seen = new Set<string>();
    while (!isAborted(signal) && duty.held.has(dutySlot) && this.#wanted() === wanted) {
      if (wanted.includes('heartbeats')) this.#watchHeartbeats(tenure);
      if (isAborted(tenure.failed.signal) || this.#isGone(tenure.made, seen)) break;
      await this.#pause(lookMs, signal);
    }
    this.#watches.clear();
    await scope[Symbol.asyncDispose]().catch(() => undefined);
    if (isAborted(tenure.failed.signal)) await this.#pause(againMs, signal);
  }

  async #writeCheckpoints({ scope, made, failed }: Tenure): Promise<void> {
    const { site, topology, cluster, positions, translator } = this.#parts;
    const open = async (from: SiteName): Promise<CheckpointTopic> => {
      const name = checkpointsTopic(from);
      await ensureTopic(cluster, name, checkpointConfigs, this.#replicationFactor());
      made.add(name);
      const log = scope.own(openStateLog(cluster, name, this.#deps, fetchWaitMs));
      const at = { topic: name, partition: 0 };
      const deleteBefore = (offset: bigint): Promise<void> => deleteRecords(cluster, at, offset);
      const topic = new CheckpointTopic({ log, deleteBefore }, this.#deps);
      const following = topic.run(scope.signal).catch((error: unknown) => {
        this.#deps.log.warn({ topic: name, why: errorMessage(error) }, 'checkpoints not followed');
        failed.abort();
      });
      await Promise.race([topic.synced(), following]);
      return topic;
    };
    const options = { site, topology, cluster, positions, translator, open };
    await new Checkpoints(options, this.#deps).run(scope.signal);
  }

  async #writeHeartbeats({ scope, made }: Tenure): Promise<void> {
    const { site, topology, cluster } = this.#parts;
    const { signal } = scope;
    const backoff = new Backoff({ delayMsMin: 1_000, delayMsMax: 30_000 }, this.#deps.clock);
    while (!signal.aborted) {
      try {
        await ensureTopic(cluster, heartbeatsTopic, heartbeatConfigs, this.#replicationFactor());
        break;
      } catch (error) {
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        this.#deps.log[level]({ why: errorMessage(error) }, 'heartbeats not written');
        await backoff.wait(signal).catch(() => undefined);
      }
    }
    if (isAborted(signal)) return;
    made.add(heartbeatsTopic);
    const log = scope.own(openStateLog(cluster, heartbeatsTopic, this.#deps));
    const others = (): SiteName[] => [...topology().sites.keys()].filter((name) => name !== site);
    await writeHeartbeats({ site, others }, log, this.#deps, signal);
  }

  /** Those of sites that records come from directly, once their topic is here. */
  #watchHeartbeats({ scope }: Tenure): void {
    const { site, topology, cluster, view } = this.#parts;
    for (const { from, to } of topology().flows) {
      const name = remoteTopicName(from, heartbeatsTopic);
      if (to !== site || this.#watches.has(from) || view.topic(name) === undefined) continue;
      const log = scope.own(openStateLog(cluster, name, this.#deps, fetchWaitMs));
      const watch = new HeartbeatWatch(from, log, this.#deps);
      this.#watches.set(from, watch);
      watch.run(scope.signal).catch((error: unknown) => {
        this.#deps.log.warn({ topic: name, why: errorMessage(error) }, 'heartbeats not followed');
      });
    }
  }

  /** A topic that was there has been deleted: to be made anew, and written from the start. */
  #isGone(made: ReadonlySet<string>, seen: Set<string>): boolean {
    const { view } = this.#parts;
    for (const name of made) {
      if (view.topic(name) !== undefined) seen.add(name);
      else if (seen.has(name) && view.unreachableSinceMs === undefined) return true;
    }
    return false;
  }

  #replicationFactor(): number | undefined {
    const { site, topology } = this.#parts;
    return topology().sites.get(site)?.kafka.replicationFactor;
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(ms, signal).catch(() => undefined);
  }
}
