/** The flows into this site: one runner each, started and stopped as the topology changes. */
import type { Deps } from '../base/deps.ts';
import type { BufferPool } from '../base/buffer-pool.ts';
import { errorMessage, MeshError } from '../base/errors.ts';
import type { FlowId, SiteName } from '../base/ids.ts';
import { Turns } from '../base/turns.ts';
import type { ByteBudget } from '../flow/byte-budget.ts';
import type { ClusterView } from '../flow/cluster-view.ts';
import type { FlowEvent } from '../flow/flow-context.ts';
import type { FlowStatus } from '../flow/status.ts';
import { openCluster, type KafkaCluster } from '../kafka/session.ts';
import { openSlotShare } from '../kafka/slot-group.ts';
import type { FlowSettings, Topology } from '../topology/model.ts';
import { resolveKafkaSecrets, type SecretSources } from '../topology/secrets.ts';
import type { ControlStore } from './control-store.ts';
import { FlowRunner } from './flow-runner.ts';
import type { MapStore } from './map-store.ts';

export interface FlowSetParts {
  readonly site: SiteName;
  readonly agent: string;
  readonly target: ClusterView;
  readonly targetCluster: KafkaCluster;
  readonly maps: MapStore;
  readonly controls: ControlStore;
  readonly budget: ByteBudget;
  readonly pool: BufferPool;
  readonly secrets: SecretSources;
  readonly onEvent: (event: FlowEvent) => void;
}

interface Running {
  readonly runner: FlowRunner;
  readonly fingerprint: string;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class FlowSet {
  readonly #parts: FlowSetParts;
  readonly #deps: Deps;
  /** One for all flows: they share the thread. */
  readonly #turns: Turns;
  readonly #running = new Map<FlowId, Running>();
  #changing: Promise<void> = Promise.resolve();

  constructor(parts: FlowSetParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
    this.#turns = new Turns(deps.clock);
    parts.controls.onRetry((flow) => {
      for (const { runner } of this.#running.values()) if (runner.id === flow) runner.retryNow();
    });
  }

  /** Only what changed is stopped and started. */
  apply(topology: Topology): void {
    const { version } = topology;
    this.#changing = this.#changing
      .then(() => this.#apply(topology))
      // What failed must not keep later changes from being applied.
      .catch((error: unknown) => {
        this.#deps.log.error(
          { version, why: errorMessage(error) },
          'flows not as the topology says',
        );
      });
  }

  statuses(): readonly FlowStatus[] {
    return [...this.#running.values()].map(({ runner }) => runner.status());
  }

  failures(): readonly { readonly flow: FlowId; readonly why: string }[] {
    return [...this.#running.values()].flatMap(({ runner: { id, failure } }) => {
      return failure === undefined ? [] : [{ flow: id, why: failure }];
    });
  }

  from(site: SiteName): FlowRunner | undefined {
    return [...this.#running.values()].find(({ runner }) => runner.from === site)?.runner;
  }

  /** @throws MeshError precondition when this agent does not run it */
  runner(flow: FlowId): FlowRunner {
    const found = this.#running.get(flow)?.runner;
    if (found !== undefined) return found;
    const own = [...this.#running.keys()].join(', ');
    throw new MeshError(
      'precondition',
      `${this.#parts.agent} runs no flow ${flow}; it runs ${own}`,
    );
  }

  async close(): Promise<void> {
    await this.#changing;
    await Promise.all([...this.#running.keys()].map((id) => this.#stop(id)));
  }

  async #apply(topology: Topology): Promise<void> {
    const wanted = new Map(
      topology.flows.filter(({ to }) => to === this.#parts.site).map((flow) => [flow.id, flow]),
    );
    for (const [id, { fingerprint, runner }] of [...this.#running]) {
      const flow = wanted.get(id);
      if (flow === undefined || fingerprintOf(topology, flow) !== fingerprint) await this.#stop(id);
      else runner.controls.setFileLimit(flow.limit.bytesPerSecond);
    }
    for (const [id, flow] of wanted) if (!this.#running.has(id)) this.#start(topology, flow);
  }

  #start(topology: Topology, settings: FlowSettings): void {
    const { site, targetCluster } = this.#parts;
    const group = `causeway.${topology.mesh}.${settings.id}`;
    const runner = new FlowRunner(
      {
        ...this.#parts,
        turns: this.#turns,
        topology,
        settings,
        openSource: () => this.#openSource(topology, settings),
        openSlots: () =>
          Promise.resolve(openSlotShare({ cluster: targetCluster, group }, this.#deps)),
      },
      this.#deps,
    );
    const stop = new AbortController();
    const done = runner.run(stop.signal);
    const fingerprint = fingerprintOf(topology, settings);
    this.#running.set(settings.id, { runner, fingerprint, stop, done });
    this.#deps.log.info({ flow: settings.id, site }, 'flow wanted');
  }

  async #stop(id: FlowId): Promise<void> {
    const running = this.#running.get(id);
    this.#running.delete(id);
    running?.stop.abort();
    await running?.done;
  }

  async #openSource(topology: Topology, settings: FlowSettings): Promise<KafkaCluster> {
    const site = topology.sites.get(settings.from);
    if (site === undefined) throw new MeshError('site_unknown', `no site ${settings.from}`);
    const { tls, sasl } = await resolveKafkaSecrets(site.kafka, this.#parts.secrets);
    return openCluster(
      {
        name: site.name,
        brokers: site.kafka.brokersRemote,
        clientId: `causeway-${this.#parts.agent}`,
        pool: this.#parts.pool,
        ...(tls === undefined ? {} : { tls }),
        ...(sasl === undefined ? {} : { sasl }),
      },
      this.#deps,
    );
  }
}

/** Everything that a running flow was given and cannot change: when it is the same, it goes on. */
function fingerprintOf(topology: Topology, { limit: _live, ...flow }: FlowSettings): string {
  const { mesh, sites, retiredSites, mm2 } = topology;
  const { kafka } = sites.get(flow.from) ?? {};
  return JSON.stringify([mesh, flow, [...sites.keys()], retiredSites, mm2.heartbeats, kafka]);
}
