/**
 * One agent of one site: opens what it needs in order, keeps it running, answers the API. Until the
 * site's own Kafka has been reached and its state loaded it answers that it is starting.
 */
import { setMaxListeners } from 'node:events';
import { crc32c } from '@node-rs/crc32';
import { BufferPool } from '../base/buffer-pool.ts';
import { isAborted, withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import { parseFlowId, type FlowId, type SiteName } from '../base/ids.ts';
import { LatestQueue } from '../base/latest-queue.ts';
import { Backoff } from '../base/retry.ts';
import { Scope } from '../base/scope.ts';
import type { AgentPorts } from '../api/ports.ts';
import type {
  AgentIdentity,
  MapUpdate,
  MeshStatus,
  Readiness,
  TopologyView,
} from '../client/agent-shapes.ts';
import { ByteBudget } from '../flow/byte-budget.ts';
import { ClusterView } from '../flow/cluster-view.ts';
import type { EventsRequest, MeshEvent } from '../client/event-shapes.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupReadiness,
  TranslateAnswer,
} from '../groups/answer.ts';
import type { SiteLiveness } from '../groups/group-ports.ts';
import { GroupService } from '../groups/group-service.ts';
import type { HomeView } from '../groups/watch-home.ts';
import { countReadiness } from '../groups/readiness.ts';
import type { LateStretch } from '../groups/stored-late.ts';
import { Translator } from '../groups/translator.ts';
import type {
  FailoverRequest,
  GroupUpdate,
  SwitchoverRequest,
  SwitchoverStep,
  TranslateRequest,
} from '../groups/updates.ts';
import { ensureInternalTopics, stateTopics } from '../kafka/internal-topics.ts';
import { openCluster, type KafkaCluster } from '../kafka/session.ts';
import { openSlotShare } from '../kafka/slot-group.ts';
import { slotCount } from '../kafka/slots.ts';
import { openStateLog } from '../kafka/state-topic.ts';
import { Scribe } from '../mm2/scribe.ts';
import type { StoredSegment } from '../offsets/run.ts';
import { flowOfKey } from '../offsets/stored-form.ts';
import type { Topology } from '../topology/model.ts';
import { resolveKafkaSecrets, type SecretSources } from '../topology/secrets.ts';
import { collectAgentMetrics, type AgentFacts } from './agent-metrics.ts';
import { ControlStore } from './control-store.ts';
import { EventBook } from './event-book.ts';
import { FlowCommands } from './flow-commands.ts';
import { FlowSet } from './flow-set.ts';
import { viewRefreshMs, type FlowRunner } from './flow-runner.ts';
import { MapStore } from './map-store.ts';
import { Peers } from './peers.ts';
import { TopologyKeeper } from './topology-keeper.ts';

export interface SiteAgentOptions {
  readonly topology: Topology;
  readonly identity: AgentIdentity;
  readonly secrets: SecretSources;
  readonly metricsText: () => Promise<string>;
}

interface Parts {
  readonly cluster: KafkaCluster;
  readonly view: ClusterView;
  readonly keeper: TopologyKeeper;
  readonly controls: ControlStore;
  readonly maps: MapStore;
  readonly groups: GroupService;
  readonly events: EventBook;
  readonly flows: FlowSet;
  readonly commands: FlowCommands;
  readonly peers: Peers;
  readonly budget: ByteBudget;
  readonly scribe: Scribe;
}

/** Several times what a link of 100 MB/s and 80 ms holds; more makes nothing faster. */
const bytesInFlightMax = 40 * 1024 * 1024;
/** For what is in flight and not stored yet, when an agent is to end. */
const drainMs = 8_000;
const segmentsPerMessage = 200;
const partListenersMax = 30;

export class SiteAgent implements AgentPorts {
  readonly #options: SiteAgentOptions;
  readonly #deps: Deps;
  #parts: Parts | undefined;
  #startingWith = 'nothing yet';

  constructor(options: SiteAgentOptions, deps: Deps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Runs until the signal fires, then drains: what was copied is stored before it resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const stopMetrics = collectAgentMetrics(this.#deps.metrics, () => this.#facts());
    try {
      await this.#runUntil(signal);
    } finally {
      stopMetrics();
    }
  }

  async #runUntil(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ delayMsMin: 500, delayMsMax: 5_000 }, this.#deps.clock);
    while (!signal.aborted) {
      const scope = new Scope();
      try {
        await this.#runOnce(scope, signal);
      } catch (error) {
        if (isAborted(signal) || isMeshError(error, 'aborted')) break;
        if (isMeshError(error) && !error.retriable) throw error;
        this.#startingWith = errorMessage(error);
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        this.#deps.log[level]({ why: errorMessage(error) }, 'not started yet');
      } finally {
        this.#parts = undefined;
        await scope[Symbol.asyncDispose]();
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  }

  async #runOnce(scope: Scope, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const site = this.#options.identity.site;
    this.#startingWith = `waiting for Kafka of ${site}`;
    const cluster = scope.own(await this.#openOwn());
    const replicationFactor = this.#options.topology.sites.get(site)?.kafka.replicationFactor;
    await ensureInternalTopics(cluster, { replicationFactor }, this.#deps);
    this.#startingWith = `loading state from Kafka of ${site}`;
    const view = new ClusterView(cluster, { refreshMs: viewRefreshMs, clock, log });
    const parts = this.#build(scope, cluster, view);
    const stop = new AbortController();
    // Each part has a loop or several that end on it; more than that is a leak.
    setMaxListeners(partListenersMax, stop.signal);
    const running = this.#start(parts, stop.signal);
    // A part that fails ends this round; the rest is stopped in order.
    const failed = Promise.all(running).then(() => undefined);
    failed.catch(() => undefined);
    try {
      await Promise.race([this.#load(parts), failed]);
      running.push(parts.scribe.run(stop.signal));
      this.#parts = parts;
      this.#connect(scope, parts);
      log.info({ version: parts.keeper.current.version }, 'agent running');
      await Promise.race([untilAborted(signal), failed]);
    } finally {
      await this.#drain(parts, stop, running);
    }
  }

  /** In order, and bounded: with its own Kafka dead an agent has nowhere to store what it knows. */
  async #drain(parts: Parts, stop: AbortController, running: Promise<void>[]): Promise<void> {
    const { clock, log } = this.#deps;
    const inOrder = async (): Promise<void> => {
      await parts.peers.close();
      await parts.flows.close();
      await parts.maps.store().catch(() => undefined);
      stop.abort();
      await Promise.allSettled(running);
    };
    try {
      await withDeadline(clock, drainMs, inOrder(), () => {
        const site = this.#options.identity.site;
        return new MeshError('kafka_timeout', `Kafka of ${site} took nothing for ${drainMs} ms`);
      });
    } catch (error) {
      log.warn({ why: errorMessage(error) }, 'state of the last moments not stored');
      stop.abort();
    }
  }

  async #openOwn(): Promise<KafkaCluster> {
    const { topology, identity, secrets } = this.#options;
    const site = topology.sites.get(identity.site);
    if (site === undefined) throw new MeshError('site_unknown', `no site ${identity.site}`);
    const { tls, sasl } = await resolveKafkaSecrets(site.kafka, secrets);
    return openCluster(
      {
        name: site.name,
        brokers: site.kafka.brokersLocal,
        clientId: `causeway-${identity.agent}`,
        ...(tls === undefined ? {} : { tls }),
        ...(sasl === undefined ? {} : { sasl }),
      },
      this.#deps,
    );
  }

  #build(scope: Scope, cluster: KafkaCluster, view: ClusterView): Parts {
    const { identity, topology, secrets } = this.#options;
    const { site, agent } = identity;
    const deps = this.#deps;
    const state = (topic: string): ReturnType<typeof openStateLog> =>
      scope.own(openStateLog(cluster, topic, deps));
    const maps = new MapStore(state(stateTopics.offsetMaps), deps);
    const keeper = new TopologyKeeper(topology, { site, log: state(stateTopics.topology) }, deps);
    const controls = new ControlStore(state(stateTopics.controls), deps);
    const events = new EventBook(state(stateTopics.events), deps);
    const budget = new ByteBudget(bytesInFlightMax);
    const flows = new FlowSet(
      {
        site,
        agent,
        target: view,
        targetCluster: cluster,
        maps,
        controls,
        budget,
        pool: new BufferPool(),
        secrets,
        onEvent: events.note,
      },
      deps,
    );
    const runner = (flow: FlowId): FlowRunner => flows.runner(flow);
    const commands = new FlowCommands({ controls, runner, onEvent: events.note }, deps);
    const newTranslator = (): Translator =>
      new Translator({ topology: keeper.current, maps: maps.book });
    const groups = new GroupService(
      {
        site,
        topology: () => keeper.current,
        translator: newTranslator,
        cluster,
        log: state(stateTopics.groups),
        liveness: (other) => this.#liveness(other),
        remoteCluster: (other) => flows.from(other)?.sourceCluster,
        owns: (group, from) => flows.from(from)?.holds(crc32c(group) % slotCount) ?? false,
        maps: maps.book,
        onEvent: events.note,
      },
      deps,
    );
    const peers = new Peers(
      { mesh: topology.mesh, site },
      {
        onTopology: (seen, peer) => keeper.hear(seen, peer),
        onGroupUpdates: (other, updates) => groups.takeUpdates(other, updates),
        onMapUpdates: (updates) => maps.take(segmentsOf(updates)),
      },
      deps,
    );
    const duty = `causeway.${topology.mesh}.${site}`;
    const scribe = new Scribe(
      {
        site,
        topology: () => keeper.current,
        cluster,
        view,
        positions: groups.positions,
        translator: newTranslator,
        openDuty: () => openSlotShare({ cluster, group: duty }, deps),
      },
      deps,
    );
    const known = { keeper, controls, maps, groups, events };
    return { cluster, view, ...known, flows, commands, peers, budget, scribe };
  }

  #start(parts: Parts, signal: AbortSignal): Promise<void>[] {
    const { view, keeper, controls, maps, groups, events } = parts;
    return [view, keeper, controls, maps, groups, events].map((part) => part.run(signal));
  }

  async #load({ view, keeper, controls, maps, groups }: Parts): Promise<void> {
    await Promise.all([
      view.refresh(),
      ...[keeper, controls, maps, groups].map((part) => part.synced()),
    ]);
  }

  #connect(scope: Scope, { keeper, flows, peers }: Parts): void {
    const apply = (topology: Topology): void => {
      flows.apply(topology);
      peers.setTopology(topology);
    };
    scope.defer(keeper.onTakenOver(apply));
    apply(keeper.current);
  }

  #liveness(site: SiteName): SiteLiveness {
    const parts = this.#parts;
    const runner = parts?.flows.from(site);
    return {
      site,
      kafkaReachable: runner?.sourceCluster !== undefined,
      kafkaRefusedSinceMs: runner?.sourceRefusedSinceMs,
      ...(parts?.peers.liveness(site) ?? { agentsConnected: 0, agentSilentSinceMs: undefined }),
    };
  }

  #facts(): AgentFacts | undefined {
    const parts = this.#parts;
    if (parts === undefined) return undefined;
    const { version, conflict } = parts.keeper.view();
    return {
      flows: parts.flows.statuses(),
      peers: parts.peers.views(),
      topologyVersion: version,
      hasConflict: conflict !== undefined,
      bytesInFlight: parts.budget.used,
      positions: parts.groups.sources(),
      modes: parts.groups.modes(),
      heartbeats: parts.scribe.heartbeats(),
    };
  }

  #running(): Parts {
    if (this.#parts !== undefined) return this.#parts;
    const { agent } = this.#options.identity;
    throw new MeshError('kafka_unavailable', `${agent} is starting: ${this.#startingWith}`);
  }

  // --- AgentPorts

  identity(): AgentIdentity {
    return this.#options.identity;
  }

  status(): MeshStatus {
    const { flows, groups, peers, keeper, controls } = this.#running();
    const { version, hash, conflict } = keeper.view();
    return {
      identity: this.#options.identity,
      topologyVersion: version,
      topologyHash: hash,
      conflict: conflict && `${conflict.peer}: ${conflict.differences.join('; ')}`,
      flows: flows.statuses(),
      peers: peers.views(),
      groups: countReadiness(groups.readiness()),
      overrides: controls.overrides.list(),
      positions: groups.sources(),
    };
  }

  readiness(): Readiness {
    const parts = this.#parts;
    if (parts === undefined) return { isReady: false, reasons: [this.#startingWith] };
    const reasons: string[] = [];
    if (parts.view.unreachableSinceMs !== undefined) {
      reasons.push(`own Kafka cannot be reached: ${parts.view.why}`);
    }
    for (const { flow, why } of parts.flows.failures()) {
      reasons.push(`flow ${flow} failed: ${why}`);
    }
    return { isReady: reasons.length === 0, reasons };
  }

  metricsText(): Promise<string> {
    return this.#options.metricsText();
  }

  topology(): TopologyView {
    return this.#running().keeper.view();
  }

  watchTopology(signal: AbortSignal): AsyncIterable<TopologyView> {
    return this.#running().keeper.watch(signal);
  }

  proposeTopology(source: string, proposedBy: string): Promise<TopologyView> {
    return this.#running().keeper.propose(source, proposedBy);
  }

  async translate(request: TranslateRequest): Promise<TranslateAnswer> {
    return this.#running().groups.translate(request);
  }

  listGroups(): readonly GroupReadiness[] {
    return this.#running().groups.readiness();
  }

  events(request: EventsRequest): readonly MeshEvent[] {
    return this.#running().events.list(request);
  }

  listLate(): readonly LateStretch[] {
    return this.#running().groups.late();
  }

  async planFailover(request: FailoverRequest): Promise<FailoverPlan> {
    return this.#running().groups.planFailover(request);
  }

  async executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport> {
    return this.#running().groups.executeFailover(request, planId, requestedBy);
  }

  switchover(request: SwitchoverRequest, signal: AbortSignal): AsyncIterable<SwitchoverStep> {
    return this.#running().groups.switchover(request, signal);
  }

  watchHome(group: string, signal: AbortSignal): AsyncIterable<HomeView> {
    return this.#running().groups.watchHome(group, signal);
  }

  watchGroups(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]> {
    return this.#running().groups.watch(signal);
  }

  async *watchMaps(signal: AbortSignal): AsyncIterable<readonly MapUpdate[]> {
    const { maps } = this.#running();
    const { site } = this.#options.identity;
    // Flows into this site, those too that a later topology brings.
    const isOwn = (key: Buffer): boolean => parseFlowId(flowOfKey(key) ?? '')?.to === site;
    const queue = new LatestQueue<MapUpdate>();
    const put = (segments: Iterable<StoredSegment>): void => {
      for (const segment of segments) {
        if (!isOwn(segment.key)) continue;
        queue.put(segment.key.toString('latin1'), { kind: 'segment', segment });
      }
    };
    const stopListening = maps.onStored(put);
    try {
      put(maps.book.snapshot());
      queue.put('', { kind: 'synced' });
      while (!signal.aborted) {
        const some = await queue.take(segmentsPerMessage, signal);
        if (some.length > 0) yield some;
      }
    } finally {
      stopListening();
    }
  }

  pauseFlow(...args: Parameters<FlowCommands['pause']>): ReturnType<FlowCommands['pause']> {
    return this.#running().commands.pause(...args);
  }

  resumeFlow(...args: Parameters<FlowCommands['resume']>): ReturnType<FlowCommands['resume']> {
    return this.#running().commands.resume(...args);
  }

  limitFlow(...args: Parameters<FlowCommands['limit']>): ReturnType<FlowCommands['limit']> {
    return this.#running().commands.limit(...args);
  }
}

function segmentsOf(updates: readonly MapUpdate[]): StoredSegment[] {
  return updates.flatMap((update) => (update.kind === 'segment' ? [update.segment] : []));
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
