/** One flow between the two shared clusters, run in this process over real Kafka, for one topic. */
import assert from 'node:assert/strict';
import { BufferPool } from '../../src/base/buffer-pool.ts';
import { siteName } from '../../src/base/ids.ts';
import type { Log } from '../../src/base/log.ts';
import { Scope } from '../../src/base/scope.ts';
import { Turns } from '../../src/base/turns.ts';
import { ControlStore } from '../../src/agent/control-store.ts';
import { MapStore } from '../../src/agent/map-store.ts';
import { ByteBudget } from '../../src/flow/byte-budget.ts';
import { ClusterView } from '../../src/flow/cluster-view.ts';
import { defaultTimings, type FlowEvent, type FlowTimings } from '../../src/flow/flow-context.ts';
import { FlowControls } from '../../src/flow/flow-controls.ts';
import { Flow } from '../../src/flow/flow.ts';
import { TargetLimits } from '../../src/flow/target-limits.ts';
import { TopicLanes } from '../../src/flow/topic-lanes.ts';
import { ensureInternalTopics } from '../../src/kafka/internal-topics.ts';
import { openSlotShare } from '../../src/kafka/slot-group.ts';
import { openStateLog } from '../../src/kafka/state-topic.ts';
import { parseTopology } from '../../src/topology/parse.ts';
import type { FlowSettings, Topology } from '../../src/topology/model.ts';
import { brokersOf, uniqueName, type TestSite } from './clusters.ts';
import { testDeps } from './deps.ts';
import { makeTopic, openTestCluster } from './topics.ts';

export interface TestFlow extends AsyncDisposable {
  readonly flow: Flow;
  readonly maps: MapStore;
  readonly events: FlowEvent[];
  readonly controls: FlowControls;
}

export interface TestFlowOptions {
  readonly from: TestSite;
  readonly to: TestSite;
  /** A regular expression. */
  readonly topics: string;
  readonly mesh?: string;
  /** A state topic of its own unless one is given, as after a restart. */
  readonly stateTopic?: string;
  readonly controlTopic?: string;
  readonly settings?: Partial<FlowSettings>;
  readonly timings?: Partial<FlowTimings>;
  readonly log?: Log;
}

export function testTopology(topics: string, mesh = 'test'): Topology {
  const site = (name: TestSite, port: number): string =>
    `  ${name}: {kafka: {brokers: ${JSON.stringify(brokersOf(name))}}, ` +
    `agents: [{grpc: "localhost:${port}", http: "localhost:${port + 1}"}]}`;
  const lines = ['apiVersion: causeway/v1', `mesh: ${mesh}`, 'version: 1', 'sites:'];
  lines.push(site('east', 1), site('west', 3));
  lines.push(`defaults: {topics: {include: [${JSON.stringify(topics)}]}}`);
  return parseTopology(lines.join('\n'), 'test.yaml');
}

export async function newStateTopic(site: TestSite, replicationFactor = 1): Promise<string> {
  await using cluster = await openTestCluster(site);
  const name = uniqueName('__state');
  await makeTopic(cluster, name, 1, { 'cleanup.policy': 'compact' }, replicationFactor);
  return name;
}

export async function startFlow(options: TestFlowOptions): Promise<TestFlow> {
  const mesh = options.mesh ?? 'test';
  const topology = testTopology(options.topics, mesh);
  const found = topology.flows.find(({ from, to }) => from === options.from && to === options.to);
  if (found === undefined) throw new Error('no such flow');
  const settings = { ...found, ...options.settings };
  const deps = { ...testDeps(), ...(options.log === undefined ? {} : { log: options.log }) };
  const stateTopic = options.stateTopic ?? (await newStateTopic(options.to));
  const controlTopic = options.controlTopic ?? (await newStateTopic(options.to));
  return Scope.build(async (scope) => {
    const source = scope.own(await openTestCluster(options.from));
    const target = scope.own(await openTestCluster(options.to));
    await ensureInternalTopics(target, { replicationFactor: 1 }, deps);
    const maps = new MapStore(scope.own(openStateLog(target, stateTopic, deps)), deps);
    scope.run(maps.run(scope.signal));
    const controls = new ControlStore(scope.own(openStateLog(target, controlTopic, deps)), deps);
    scope.run(controls.run(scope.signal));
    await Promise.all([maps.synced(), controls.synced()]);
    const view = (cluster: typeof source): ClusterView => {
      const made = new ClusterView(cluster, { refreshMs: 300, ...deps });
      scope.run(made.run(scope.signal));
      return made;
    };
    const views = { source: view(source), target: view(target) };
    await Promise.all([views.source.refresh(), views.target.refresh()]);
    const group = `causeway.${uniqueName(mesh)}.${settings.id}`;
    const events: FlowEvent[] = [];
    const { bytesPerSecond } = settings.limit;
    const flowControls = new FlowControls(settings.id, bytesPerSecond, deps.clock);
    const budget = new ByteBudget(64 * 1024 * 1024);
    const pool = new BufferPool();
    const flow = new Flow({
      deps,
      topology,
      settings,
      agent: `${siteName(options.to)}-1`,
      ...views,
      slots: scope.own(openSlotShare({ cluster: target, group }, deps)),
      maps: maps.book,
      journal: maps.journal,
      epochs: maps.epochs,
      controls: flowControls,
      acls: controls.ledger,
      passes: maps.passes,
      lanes: new TopicLanes(settings, { source, target, clock: deps.clock, rereadMs: 300 }),
      limits: new TargetLimits(deps.clock),
      budget,
      pool,
      turns: new Turns(deps.clock),
      timings: { ...defaultTimings, upkeepMs: 300, ...options.timings },
      onEvent: (event) => events.push(event),
    });
    const stop = new AbortController();
    const running = flow.run(stop.signal);
    scope.defer(async () => {
      stop.abort();
      await running;
      await maps.store();
      // Whatever happened, all that was in flight has been given back.
      assert.deepEqual({ inFlight: budget.used, taken: pool.outBytes }, { inFlight: 0, taken: 0 });
    });
    return {
      flow,
      maps,
      events,
      controls: flowControls,
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  });
}
