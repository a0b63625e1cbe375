/**
 * What agents cost while nothing happens: three sites, many topics at each, every topic copied to
 * the two others, one agent a site. CPU of each agent over a minute after all is copied, and how
 * long it took until then.
 */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Scope } from '../../src/base/scope.ts';
import type { AgentStatusJson } from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { testDeps } from '../support/deps.ts';
import { until } from '../support/until.ts';
import { write } from './write-batches.ts';
import { usageOf } from './process-usage.ts';
import { say } from '../support/say.ts';
import { versions } from './stage.ts';

export interface IdlePlan {
  readonly topics: number;
  readonly partitions: number;
  readonly seconds: number;
  /** For the last agent's node, such as those of its profiler. */
  readonly lastNodeArgs: readonly string[];
  /** Checkpoints and heartbeats as MirrorMaker 2 writes them. */
  readonly hasMm2Topics: boolean;
}

export interface IdleFigures {
  readonly agent: string;
  readonly flows: number;
  readonly partitions: number;
  readonly startSeconds: number;
  readonly startCpuSeconds: number;
  readonly cpuPercent: number;
  readonly rssMb: number;
}

const sites = ['east', 'west', 'north'] as const;
const copyMsMax = 400_000;
const topicPrefix = 'topic-';
/** After all is copied, before anything is measured. */
export const settleMs = 5_000;
const tellMs = 20_000;
const topicsPerRequest = 100;

export async function measureIdle(plan: IdlePlan): Promise<IdleFigures[]> {
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-idle-'));
  await using scope = new Scope();
  scope.defer(() => rmSync(dir, { recursive: true, force: true }));
  const requests = sites.map((name) => ({
    name,
    kafkaVersion: name === 'east' ? versions.east : versions.west,
  }));
  const options = { dir, sites: requests, isTied: true, heapMb: 1536, onProgress: say };
  const sandbox = await openSandbox(options, testDeps());
  scope.defer(() => sandbox.down());
  const mm2 = 'mm2: {checkpoints: false, heartbeats: false}\n';
  if (!plan.hasMm2Topics) appendFileSync(sandbox.meshFile, mm2);
  for (const site of sites) await fill(sandbox, site, plan);
  const startedMs = performance.now();
  const agents = sites.map((site) => {
    const nodeArgs = site === sites.at(-1) ? plan.lastNodeArgs : [];
    const topologyFile = sandbox.meshFile;
    const agent = scope.own(new AgentProcess({ site, topologyFile, logDir: dir, nodeArgs }));
    agent.launch();
    return agent;
  });
  const starts = await Promise.all(agents.map((agent) => copiedAll(agent, plan, startedMs)));
  say(`all copied after ${Math.max(...starts.map((one) => one.startSeconds)).toFixed(1)} s`);
  await sleep(settleMs);
  const before = agents.map((agent) => usageOf(pidOf(agent)).cpuSeconds);
  await sleep(plan.seconds * 1000);
  return agents.map((agent, at) => {
    const { cpuSeconds, rssMb } = usageOf(pidOf(agent));
    const cpuPercent = ((cpuSeconds - (before[at] ?? 0)) / plan.seconds) * 100;
    const start = starts[at] ?? { startSeconds: NaN, startCpuSeconds: NaN };
    const partitions = plan.topics * plan.partitions;
    return { agent: agent.options.site, flows: 2, partitions, ...start, cpuPercent, rssMb };
  });
}

function pidOf(agent: AgentProcess): number {
  const { pid } = agent;
  if (pid === undefined || agent.state === 'gone') throw new Error(agent.logTail());
  return pid;
}

/** Topics with one record in each partition. */
async function fill(sandbox: Sandbox, site: string, plan: IdlePlan): Promise<void> {
  const { brokers } = sandbox.site(site);
  await using cluster = await openCluster({ name: site, brokers, clientId: 'bench' }, testDeps());
  const names = Array.from({ length: plan.topics }, (_, at) => `${topicPrefix}${at}`);
  for (let at = 0; at < names.length; at += topicsPerRequest) {
    const made = await cluster.createTopics(
      names.slice(at, at + topicsPerRequest).map((name) => {
        return { name, partitions: plan.partitions, replicationFactor: 1, configs: {} };
      }),
    );
    const refused = made.find(({ errorCode }) => errorCode !== 0);
    if (refused !== undefined) throw new Error(`${refused.name}: ${refused.errorMessage}`);
  }
  await until(`leaders at ${site}`, () => areLed(cluster, names, plan), 60_000);
  const broker = [...(await cluster.metadata()).brokers.keys()][0] ?? 0;
  await using link = await cluster.openLink(broker, 'bench');
  const batch = encodeBatch([{ key: null, value: Buffer.from('idle'), timestampMs: Date.now() }]);
  const partitions = Array.from({ length: plan.partitions }, (_, partition) => partition);
  await write(
    link,
    names.flatMap((topic) => partitions.map((partition) => ({ topic, partition, batch }))),
  );
  say(`${site}: ${plan.topics} topics x ${plan.partitions} partitions`);
}

async function areLed(
  cluster: KafkaCluster,
  topics: readonly string[],
  plan: IdlePlan,
): Promise<boolean> {
  const { topics: found } = await cluster.metadata();
  return topics.every((name) => {
    const partitions = found.get(name)?.partitions ?? [];
    return partitions.length === plan.partitions && partitions.every(({ leader }) => leader >= 0);
  });
}

async function copiedAll(
  agent: AgentProcess,
  plan: IdlePlan,
  startedMs: number,
): Promise<Pick<IdleFigures, 'startSeconds' | 'startCpuSeconds'>> {
  const wanted = plan.topics * plan.partitions * (sites.length - 1);
  let toldMs = startedMs;
  for (;;) {
    const pid = pidOf(agent);
    const answer = await agent.get('/v1/status', 20_000).catch(() => undefined);
    if (answer?.status === 200) {
      // The agent's own JSON, of the shape that its schema says.
      const { flows } = JSON.parse(answer.text) as AgentStatusJson;
      const partitions = flows.flatMap((flow) => flow.partitions);
      const copied = partitions.filter(({ topic, state, position }) => {
        return topic.startsWith(topicPrefix) && state === 'copying' && position !== '0';
      });
      if (performance.now() - toldMs > tellMs) {
        toldMs = performance.now();
        say(`${agent.options.site}: ${copied.length} of ${wanted} copied`);
      }
      const isCurrent = flows.every(({ lagRecords }) => lagRecords === '0');
      if (flows.length === sites.length - 1 && copied.length === wanted && isCurrent) {
        const startSeconds = (performance.now() - startedMs) / 1000;
        return { startSeconds, startCpuSeconds: usageOf(pid).cpuSeconds };
      }
    }
    if (performance.now() - startedMs > copyMsMax)
      throw new Error(`not copied; ${agent.logTail()}`);
    await sleep(1_000);
  }
}
