/**
 * How soon a commit at one site is known at another, with many groups; what that costs the agent;
 * and how long reading the whole log of commits takes when an agent starts. The commits are made,
 * and the positions received as an agent of the other site does, by one process with one clock.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { siteName } from '../../src/base/ids.ts';
import { Scope } from '../../src/base/scope.ts';
import { openAgentClient } from '../../src/client/agent-client.ts';
import type { AgentStatusJson } from '../../src/client/answers.ts';
import { PositionsStore } from '../../src/groups/positions-store.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { testDeps } from '../support/deps.ts';
import { makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';
import { usageOf } from './process-usage.ts';
import { say } from '../support/say.ts';
import { versions } from './stage.ts';

export interface PositionsPlan {
  readonly groups: number;
  readonly partitions: number;
  /** In the log before the agent starts. */
  readonly records: number;
  readonly commitsPerSecond: number;
  readonly seconds: number;
}

export interface PositionsFigures {
  readonly kafka: string;
  readonly plan: PositionsPlan;
  readonly startMs: number;
  readonly startCpuSeconds: number;
  readonly startRssPeakMb: number;
  readonly commits: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuPercent: number;
  readonly idleCpuPercent: number;
  readonly rssMb: number;
}

const topic = 'orders';
const committers = 32;
const site = siteName('east');
const settleMs = 3_000;

export async function measurePositions(
  plan: PositionsPlan,
  kafkaVersion: string,
): Promise<PositionsFigures> {
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-positions-'));
  await using scope = new Scope();
  scope.defer(() => rmSync(dir, { recursive: true, force: true }));
  const sites = [
    { name: 'east', kafkaVersion },
    { name: 'west', kafkaVersion: versions.west },
  ];
  const sandbox = await openSandbox(
    { dir, sites, isTied: true, heapMb: 1024, onProgress: say },
    testDeps(),
  );
  scope.defer(() => sandbox.down());
  const { brokers } = sandbox.site('east');
  const cluster = scope.own(
    await openCluster({ name: 'east', brokers, clientId: 'bench' }, testDeps()),
  );
  await makeTopic(cluster, topic, plan.partitions);
  const rounds = Math.ceil(plan.records / plan.groups / plan.partitions);
  const loading = performance.now();
  await commitAll(cluster, plan, rounds);
  const loadedSeconds = ((performance.now() - loading) / 1000).toFixed(0);
  say(`${kafkaVersion}: ${rounds * plan.groups * plan.partitions} commits in ${loadedSeconds} s`);

  const agent = scope.own(
    new AgentProcess({ site: 'east', topologyFile: sandbox.meshFile, logDir: dir }),
  );
  const startedMs = performance.now();
  agent.launch();
  await until('positions from the log', () => isFromLog(agent, plan.groups), 120_000);
  const startMs = performance.now() - startedMs;
  const { pid } = agent;
  if (pid === undefined) throw new Error(agent.logTail());
  const started = usageOf(pid);
  say(`known after ${startMs.toFixed(0)} ms`);
  await sleep(settleMs);
  const idleBefore = usageOf(pid).cpuSeconds;
  await sleep(plan.seconds * 500);
  const idle = usageOf(pid).cpuSeconds - idleBefore;
  const before = usageOf(pid).cpuSeconds;
  const latencies = await watchCommits(cluster, agent, plan, rounds);
  const used = usageOf(pid);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
  return {
    kafka: kafkaVersion,
    plan,
    startMs,
    startCpuSeconds: started.cpuSeconds,
    startRssPeakMb: started.rssPeakMb,
    commits: latencies.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    cpuPercent: ((used.cpuSeconds - before) / plan.seconds) * 100,
    idleCpuPercent: (idle / plan.seconds) * 200,
    rssMb: used.rssMb,
  };
}

function offsets(plan: PositionsPlan, offset: bigint) {
  return Array.from({ length: plan.partitions }, (_, partition) => {
    return { topic, partition, offset, metadata: '' };
  });
}

/** Every group commits all its partitions, so often; offsets count the rounds. */
async function commitAll(cluster: KafkaCluster, plan: PositionsPlan, rounds: number) {
  const total = plan.groups * rounds;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < total; at = next++) {
      const round = BigInt(Math.floor(at / plan.groups) + 1);
      await commit(cluster, `group-${at % plan.groups}`, plan, round);
    }
  };
  await Promise.all(Array.from({ length: committers }, work));
}

async function commit(cluster: KafkaCluster, group: string, plan: PositionsPlan, offset: bigint) {
  const results = await cluster.commitGroupOffsets(group, offsets(plan, offset));
  const failed = results.find(({ errorCode }) => errorCode !== 0);
  if (failed !== undefined) throw new Error(`${group}: Kafka error ${failed.errorCode}`);
}

async function isFromLog(agent: AgentProcess, groups: number): Promise<boolean> {
  const answer = await agent.get('/v1/status', 20_000).catch(() => undefined);
  if (answer?.status !== 200) return false;
  // The agent's own JSON, of the shape that its schema says.
  const [own] = (JSON.parse(answer.text) as AgentStatusJson).positions;
  return own?.mode === 'log' && own.groups >= groups;
}

/** From the acknowledgement of a commit to its position at the other site, ms, sorted. */
async function watchCommits(
  cluster: KafkaCluster,
  agent: AgentProcess,
  plan: PositionsPlan,
  rounds: number,
): Promise<number[]> {
  const stop = new AbortController();
  const store = new PositionsStore();
  const waiting = new Map<string, { offset: bigint; ackedMs: number }>();
  const seenMs = new Map<string, number>();
  const latencies: number[] = [];
  const note = (key: string, ms: number): void => {
    latencies.push(Math.max(0, ms));
    waiting.delete(key);
    seenMs.delete(key);
  };
  store.onChange((change) => {
    if (change.kind !== 'positions') return;
    for (const { group, partition, offset } of change.changed) {
      if (partition !== 0) continue;
      const key = `${group}@${offset}`;
      const found = waiting.get(key);
      if (found === undefined) seenMs.set(key, performance.now());
      else note(key, performance.now() - found.ackedMs);
    }
  });
  await using client = openAgentClient({ address: agent.grpc }, testDeps());
  let isSynced = false;
  const receiving = (async () => {
    for await (const updates of client.watchGroups(stop.signal)) {
      for (const update of updates) {
        if (update.kind === 'position') store.take(update.position);
        if (update.kind === 'synced') isSynced = true;
      }
    }
  })();
  receiving.catch(() => undefined);
  await until('the snapshot', () => isSynced && store.groups(site).length >= plan.groups, 60_000);
  seenMs.clear();
  const startedMs = performance.now();
  const total = plan.commitsPerSecond * plan.seconds;
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < total; at = next++) {
      const dueMs = startedMs + (at / plan.commitsPerSecond) * 1000 - performance.now();
      if (dueMs > 0) await sleep(dueMs);
      const group = `group-${(at * 7919) % plan.groups}`;
      const offset = BigInt(rounds + 1 + Math.floor(at / plan.groups));
      await commit(cluster, group, plan, offset);
      const ackedMs = performance.now();
      const key = `${group}@${offset}`;
      const seen = seenMs.get(key);
      if (seen === undefined) waiting.set(key, { offset, ackedMs });
      else note(key, seen - ackedMs);
    }
  };
  await Promise.all(Array.from({ length: committers }, work));
  await until('every commit', () => waiting.size === 0, 30_000);
  stop.abort();
  await receiving.catch(() => undefined);
  return latencies.sort((a, b) => a - b);
}

export function positionsTable(all: readonly PositionsFigures[]): string {
  const head =
    '| Kafka | groups x partitions | commits in the log | all known after | CPU until then | ' +
    'commits/s | ack to known p50 / p99 / max | CPU | CPU idle | RSS (peak at start) |';
  const rows = all.map((one) => {
    const { groups, partitions, records, commitsPerSecond } = one.plan;
    const cells = [
      one.kafka,
      `${groups} x ${partitions}`,
      records,
      `${(one.startMs / 1000).toFixed(1)} s`,
      `${one.startCpuSeconds.toFixed(1)} s`,
      commitsPerSecond * partitions,
      `${one.p50Ms.toFixed(0)} / ${one.p99Ms.toFixed(0)} / ${one.maxMs.toFixed(0)} ms`,
      `${one.cpuPercent.toFixed(1)} %`,
      `${one.idleCpuPercent.toFixed(1)} %`,
      `${one.rssMb.toFixed(0)} MB (${one.startRssPeakMb.toFixed(0)})`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [head, `|${'---|'.repeat(10)}`, ...rows].join('\n');
}
