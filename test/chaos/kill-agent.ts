/**
 * `npm run kill -- --kills 30 [--seed 1] [--freeze-seconds 60] [--lane pass]`: an agent under load
 * is killed with -9 at random moments, and once frozen while a second agent takes over. Then
 * everything is read on both sides: nothing lost, nothing twice, order kept, and translations that
 * are the very record. The source has markers in it, so that offsets do not step together.
 * With `--lane both` the topology changes between the lanes from one life to the next.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import type { AgentStatusJson } from '../../src/client/answers.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { testDeps } from '../support/deps.ts';
import { Seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';
import {
  compareColumns,
  readBoth,
  type Carried,
  type Compared,
  type CopiedLog,
} from './copied-log.ts';

const topic = 'orders';
const lanes = ['stamp', 'pass'] as const;
const partitions = 4;
const codecs: readonly Codec[] = ['none', 'lz4', 'snappy', 'zstd', 'gzip'];
const translationsChecked = 200;
/** Odd, so that all partitions have their turn. */
const markerRounds = 7;

/** A broker that is starved of its CPU leaves the cluster for a moment: nothing was written. */
const notLeaderNow: ReadonlySet<number> = new Set([5, 6]);

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  /** How long the agent is frozen in the end, at least as long as a second one takes over. */
  readonly freezeMs: number;
  readonly lane: Carried;
}

export interface KillReport {
  readonly kills: number;
  readonly produced: number;
  readonly copied: number;
  readonly lost: number;
  readonly twice: number;
  readonly outOfOrder: number;
  readonly translations: number;
  readonly translationsWrong: number;
}

/** Offsets that are not copied: those behind it are not what they were at the target. */
async function writeMarker(
  cluster: KafkaCluster,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  const transactionalId = `load-${partition}`;
  const onProducerId = (): Promise<void> => Promise.resolve();
  await cluster
    .fence({ topic, partition, transactionalId, onProducerId }, signal)
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
}

/** Writes to all partitions, batch by batch, until told to stop. Returns what was acknowledged. */
async function produce(cluster: KafkaCluster, signal: AbortSignal): Promise<number> {
  const metadata = await cluster.metadata();
  const leader = metadata.topics.get(topic)?.partitions[0]?.leader ?? 1;
  await using link = await cluster.openLink(leader, 'load');
  let produced = 0;
  for (let round = 0; !signal.aborted; round += 1) {
    const batches = Array.from({ length: partitions }, (_, partition) => {
      const records = Array.from({ length: 1 + (round % 60) }, (_, index) => ({
        key: Buffer.from(`${partition}-${round}-${index}`),
        value: Buffer.alloc(index * 7, 'v'),
        timestampMs: Date.now(),
      }));
      produced += records.length;
      const codec = codecs[(round + partition) % codecs.length] ?? 'none';
      return { topic, partition, batch: encodeBatch(records, { codec }) };
    });
    let left = batches;
    while (left.length > 0) {
      const answers = await link.produce({ batches: left, timeoutMs: 10_000 });
      const refused = answers.filter(({ errorCode }) => errorCode !== 0);
      const final = refused.find(({ errorCode }) => !notLeaderNow.has(errorCode));
      if (final !== undefined) throw new Error(`load: Kafka error ${final.errorCode}`);
      left = left.filter((one) => refused.some(({ partition }) => partition === one.partition));
      if (left.length > 0) await sleep(100);
    }
    if (round % markerRounds === 0) await writeMarker(cluster, round % partitions, signal);
    await sleep(5);
  }
  return produced;
}

async function open(sandbox: Sandbox, site: string): Promise<KafkaCluster> {
  const { brokers } = sandbox.site(site);
  return openCluster({ name: site, brokers, clientId: 'kill-test' }, testDeps());
}

/** Random positions, there and back, against the logs themselves. */
async function checkTranslations(
  http: string,
  logs: readonly CopiedLog[],
  random: () => number,
): Promise<number> {
  let wrong = 0;
  for (let count = 0; count < translationsChecked; count += 1) {
    const partition = Math.floor(random() * partitions);
    const log = logs[partition];
    if (log === undefined) continue;
    const isForward = count % 2 === 0;
    const from = isForward ? log.born : log.copied;
    const at = Math.floor(random() * from.offsets.length);
    const offset = from.offsets[at] ?? -1;
    const wanted = isForward
      ? log.copied.offsets[log.copied.origins.indexOf(offset)]
      : from.origins[at];
    const name = isForward ? topic : `east.${topic}`;
    const [source, target] = isForward ? ['east', 'west'] : ['west', 'east'];
    const query = new URLSearchParams({ group: 'any', from: source, to: target });
    query.append('position', `${name}/${partition}@${offset}`);
    const answer = (await (
      await fetch(`http://${http}/v1/translate?${query.toString()}`)
    ).json()) as {
      positions?: { target: { offset?: string }; certainty: string }[];
    };
    const found = answer.positions?.[0];
    if (found?.certainty !== 'exact' || Number(found.target.offset) !== wanted) wrong += 1;
  }
  return wrong;
}

/** The slots of an agent that was killed are free again when its session has run out. */
async function copying(http: string): Promise<void> {
  await until(
    'the agent to copy all partitions',
    async () => {
      const answer = await fetch(`http://${http}/v1/status`).catch(() => undefined);
      // The agent's own contract.
      const status = (await answer?.json()) as Partial<AgentStatusJson> | undefined;
      const found = status?.flows?.[0]?.partitions ?? [];
      return found.length === partitions && found.every(({ state }) => state === 'copying');
    },
    60_000,
  );
}

/** Rounds of work and death; a freeze with a second agent when there are two. */
async function torment(
  options: KillOptions & {
    readonly topologyFile: string;
    readonly dir: string;
    /** Told before each life of an agent: its number. */
    readonly setLane: (life: number) => void;
  },
  random: () => number,
  say: (text: string) => void,
): Promise<AgentProcess> {
  const { topologyFile, dir } = options;
  const start = (agent: number): Promise<AgentProcess> =>
    startAgent({ site: 'west', topologyFile, agent, logDir: dir });
  let agent = await start(1);
  for (let kill = 1; kill <= options.kills; kill += 1) {
    await copying(agent.http);
    await sleep(random() * 2_000);
    await agent.kill();
    options.setLane(kill);
    say(`kill ${kill} of ${options.kills}`);
    agent = await start(1);
  }
  await copying(agent.http);
  say('frozen; a second agent takes over');
  await agent.freeze();
  const frozenAt = performance.now();
  const second = await start(2);
  await copying(second.http);
  await sleep(Math.max(2_000, options.freezeMs - (performance.now() - frozenAt)));
  await agent.thaw();
  await sleep(3_000);
  await second.stop();
  return agent;
}

/** Sum of the ends of all partitions. */
async function endOf(cluster: KafkaCluster, name: string): Promise<number> {
  const at = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }));
  const listed = await cluster.listOffsets(at, 'latest');
  return listed.reduce((sum, { offset }) => sum + Number(offset), 0);
}

export async function killAgents(
  options: KillOptions,
  say: (text: string) => void,
): Promise<KillReport> {
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-kill-'));
  const report = await killIn(dir, options, say);
  if (isClean(report)) rmSync(dir, { recursive: true, force: true });
  else say(`logs are in ${dir}`);
  return report;
}

async function killIn(
  dir: string,
  options: KillOptions,
  say: (text: string) => void,
): Promise<KillReport> {
  const seeded = new Seeded(options.seed);
  const random = (): number => seeded.next();
  const sites = [
    { name: 'east', kafkaVersion: '3.9.2' },
    { name: 'west', kafkaVersion: '4.3.0' },
  ];
  const deps = testDeps();
  await using sandbox = await openSandbox(
    { dir, sites, agentsPerSite: 2, isTied: true, onProgress: say },
    deps,
  );
  const topologyFile = sandbox.meshFile;
  const mesh = readFileSync(topologyFile, 'utf8');
  const setLane = (life: number): void => {
    const lane = options.lane === 'both' ? lanes[life % lanes.length] : options.lane;
    const versioned = mesh.replace(/^version: .*$/m, `version: ${life + 1}`);
    const text = `${versioned}defaults: {topics: {include: [${topic}]}, lane: ${lane}}\n`;
    writeFileSync(topologyFile, text);
  };
  setLane(0);
  await using east = await open(sandbox, 'east');
  await using west = await open(sandbox, 'west');
  await east.createTopics([{ name: topic, partitions, replicationFactor: 1, configs: {} }]);
  await until(
    'the topic',
    async () => (await east.metadata()).topics.get(topic)?.partitions.length === partitions,
  );
  const stop = new AbortController();
  const load = produce(east, stop.signal);
  const agent = await torment({ ...options, topologyFile, dir, setLane }, random, say);
  stop.abort();
  const produced = await load;
  say(`${produced} records produced; waiting for the rest to cross`);
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  await until(
    'as many records at the target',
    async () => (await endOf(west, `east.${topic}`)) >= produced,
    180_000,
  );
  const logs = await until(
    'everything to cross',
    async () => {
      const found: CopiedLog[] = [];
      for (const partition of all) {
        const log = await readBoth(east, west, { topic, partition }, options.lane);
        if (log.copied.offsets.length < log.born.offsets.length) return undefined;
        found.push(log);
      }
      return found;
    },
    180_000,
  );
  const compared = logs.map(compareColumns);
  const sum = (key: keyof Compared): number => compared.reduce((total, one) => total + one[key], 0);
  // The map is stored and told within a moment of the last acknowledgement.
  await sleep(1_000);
  const translationsWrong = await checkTranslations(agent.http, logs, random);
  await agent.stop();
  return {
    kills: options.kills,
    produced,
    copied: logs.reduce((total, { copied }) => total + copied.offsets.length, 0),
    lost: sum('lost'),
    twice: sum('twice'),
    outOfOrder: sum('outOfOrder'),
    translations: translationsChecked,
    translationsWrong,
  };
}

export function isClean(report: KillReport): boolean {
  const { produced, copied, lost, twice, outOfOrder, translationsWrong } = report;
  return copied === produced && lost + twice + outOfOrder + translationsWrong === 0;
}

if (process.argv[1]?.endsWith('kill-agent.ts') === true) {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      'freeze-seconds': { type: 'string', default: '60' },
      lane: { type: 'string', default: 'stamp' },
    },
  });
  const carried = [...lanes, 'both' as const].find((one) => one === values.lane);
  if (carried === undefined) throw new Error(`--lane ${values.lane}: stamp, pass or both`);
  const report = await killAgents(
    {
      lane: carried,
      kills: Number(values.kills),
      seed: Number(values.seed),
      freezeMs: Number(values['freeze-seconds']) * 1_000,
    },
    (text) => void process.stderr.write(`${text}\n`),
  );
  process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
  process.exit(isClean(report) ? 0 : 1);
}
