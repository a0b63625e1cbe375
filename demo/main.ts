/**
 * `npm run demo`: two datacenters on this machine, the loss of one, and the way back, with every
 * promise checked in the end. `-- --keep` leaves everything running and says where.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../src/base/clock.ts';
import { toError } from '../src/base/errors.ts';
import { silentLog } from '../src/base/log.ts';
import { MetricRegistry } from '../src/base/metrics.ts';
import type { PlanJson, StatusJson } from '../src/client/answers.ts';
import { preferredKafkaVersion } from '../src/sandbox/kafka-jars.ts';
import { openSandbox } from '../src/sandbox/open-sandbox.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { parseTopology } from '../src/topology/parse.ts';
import { judgeCopy, readTopic, type CopyVerdict } from './check.ts';
import { LineConsumer } from './consumer.ts';
import { projectLines } from './data.ts';
import { LineProducer } from './producer.ts';
import { causeway, DemoAgent } from './processes.ts';

const topic = 'lines';
const group = 'billing';
const perSecond = 4_000;
const readPerSecond = 1_500;
/** A thin line out of the site that dies: so that something is under way when it does. */
const limit = '100KiB';
const defaults = `defaults:
  groups: { modes: { ${group}: { mode: single, home: east } } }
flows:
  - { from: east, to: west, limit: { bytesPerSecond: ${limit} } }
  - { from: west, to: east }
`;

const startedMs = performance.now();
const phases: [string, number][] = [];

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  say(`\n== ${name}`);
  const result = await work();
  const seconds = (performance.now() - from) / 1000;
  phases.push([name, seconds]);
  return result;
}

async function until(
  what: string,
  probe: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for: ${what}`);
    await sleep(100);
  }
}

interface Stage {
  readonly sandbox: Sandbox;
  readonly mesh: string;
  readonly agents: { readonly east: DemoAgent; readonly west: DemoAgent };
}

async function setUp(dir: string): Promise<Stage> {
  const kafkaVersion = await preferredKafkaVersion(process.env);
  const sites = ['east', 'west'].map((name) => ({ name, kafkaVersion }));
  const deps = { clock: systemClock, log: silentLog, metrics: new MetricRegistry() };
  const sandbox = await openSandbox({ dir, sites, isTied: true, onProgress: say }, deps);
  const mesh = sandbox.meshFile;
  writeFileSync(mesh, readFileSync(mesh, 'utf8') + defaults);
  const topology = parseTopology(readFileSync(mesh, 'utf8'), mesh);
  const agent = (name: string): DemoAgent => {
    const site = [...topology.sites.values()].find((one) => one.name === name);
    return new DemoAgent(name, dir, site?.agents[0]?.http ?? '');
  };
  const agents = { east: agent('east'), west: agent('west') };
  return { sandbox, mesh, agents };
}

/** Shows a command and what it answers, as an operator sees it. */
async function show(args: readonly string[], wantedCode = 0): Promise<void> {
  say(`$ causeway ${args.join(' ')}`);
  const { code, out, err } = await causeway(args);
  say(`${out}${err}`.trimEnd().replace(/^/gm, '  '));
  if (code !== wantedCode) throw new Error(`exit code ${code}, wanted ${wantedCode}`);
}

async function makeTopics(stage: Stage): Promise<void> {
  const { Kafka, logLevel } = (await import('kafkajs')).default;
  for (const { name, brokers } of stage.sandbox.sites) {
    const kafka = new Kafka({ clientId: `demo-${name}`, brokers, logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 4 }] });
    await admin.disconnect();
  }
}

async function lagOf(mesh: string): Promise<number> {
  const { out } = await causeway(['status', '--topology', mesh, '-o', 'json']);
  // The command's own contract.
  const { agents, silent } = JSON.parse(out) as StatusJson;
  if (silent.length > 0) return Infinity;
  const flows = agents.flatMap((agent) => agent.flows);
  if (
    flows.some(
      ({ state, partitions }) =>
        state === 'starting' || state === 'unreachable' || partitions.length === 0,
    )
  )
    return Infinity;
  return flows.reduce((sum, { lagRecords }) => sum + Number(lagRecords), 0);
}

interface Story {
  readonly producers: { readonly east: LineProducer; readonly west: LineProducer };
  readonly read: Map<string, number>;
  readonly lostAtLeast: number;
  readonly rereadStated: number;
}

async function play(stage: Stage): Promise<Story> {
  const { sandbox, mesh, agents } = stage;
  const lines = projectLines();
  const read = new Map<string, number>();
  const consumer = new LineConsumer(group, read);
  const producers = {
    east: new LineProducer('east', topic, lines, perSecond),
    west: new LineProducer('west', topic, lines, perSecond / 2),
  };
  const brokers = (site: string): string[] => sandbox.site(site).brokers;

  await phase('both sites at work: agents copy both ways, billing reads at east', async () => {
    await makeTopics(stage);
    await Promise.all([agents.east.start(), agents.west.start()]);
    say(
      `agents run (pids ${agents.east.pid}, ${agents.west.pid}); ${lines.length} lines of text, keyed`,
    );
    producers.east.start(brokers('east'));
    producers.west.start(brokers('west'));
    await until(
      'the copy of west at east',
      async () => (await readTopic('east', brokers('east'), `west.${topic}`)).size === 4,
    );
    await consumer.start(brokers('east'), [topic, `west.${topic}`], readPerSecond);
    await sleep(8_000);
    await show(['status', '--topology', mesh]);
  });

  let plan: PlanJson | undefined;
  await phase('east is lost: Kafka and agent killed with -9 in mid-flow', async () => {
    await Promise.all([sandbox.site('east').kill(), agents.east.end('SIGKILL')]);
    consumer.abandon();
    await producers.east.stop();
    say(`billing had read ${consumer.records} records at east`);
    const args = [
      'failover',
      '--group',
      group,
      '--from',
      'east',
      '--to',
      'west',
      '--topology',
      mesh,
    ];
    const planned = await causeway([...args, '-o', 'json']);
    if (planned.code !== 0) throw new Error(planned.err);
    // The command's own contract.
    plan = JSON.parse(planned.out) as PlanJson;
    await show(args);
    await show([...args, '--execute', '--plan', plan.planId]);
  });
  if (plan === undefined) throw new Error('no plan');

  await phase('billing goes on at west, at exactly its records', async () => {
    await consumer.start(brokers('west'), [topic, `east.${topic}`]);
    await until('billing to read at west', () => consumer.records > 0);
    await sleep(3_000);
    say(`billing has read ${consumer.records} records at west`);
  });

  await phase('east comes back; the late tail crosses', async () => {
    await sandbox.site('east').start();
    await agents.east.start();
    producers.east.start(brokers('east'));
    await sleep(2_000);
    await Promise.all([producers.east.stop(), producers.west.stop()]);
    await until('both flows to be current', async () => (await lagOf(mesh)) === 0, 90_000);
    await until(
      'billing to have read it all',
      () => consumer.records > 0 && consumer.quietMs > 2_000,
    );
    say(`billing has read ${consumer.records} records at west, the late ones included`);
    await show(['lag', '--topology', mesh]);
  });

  await phase('billing goes back to east', async () => {
    await consumer.stop();
    const args = [
      'failover',
      '--group',
      group,
      '--from',
      'west',
      '--to',
      'east',
      '--topology',
      mesh,
    ];
    // The member that died with east is given up when its session has expired there.
    await until('nothing to speak against it', async () => (await causeway(args)).code === 0);
    await show([...args, '--execute']);
    producers.east.start(brokers('east'));
    producers.west.start(brokers('west'));
    await consumer.start(brokers('east'), [topic, `west.${topic}`]);
    await sleep(2_000);
    await Promise.all([producers.east.stop(), producers.west.stop()]);
    await until('both flows to be current', async () => (await lagOf(mesh)) === 0, 90_000);
    await until(
      'billing to have read it all',
      () => consumer.records > 0 && consumer.quietMs > 2_000,
    );
    say(`billing has read ${consumer.records} records at east again`);
    await consumer.stop();
  });
  const rereadStated = plan.translation.positions.reduce(
    (sum, { reread }) => sum + Number(reread ?? 0),
    0,
  );
  return { producers, read, lostAtLeast: Number(plan.lossRecordsAtLeast), rereadStated };
}

/** True when every promise was kept. */
async function judge(stage: Stage, story: Story): Promise<boolean> {
  const { sandbox } = stage;
  const [east, west] = [sandbox.site('east').brokers, sandbox.site('west').brokers];
  const bornEast = await readTopic('east', east, topic);
  const bornWest = await readTopic('west', west, topic);
  const copies: [string, CopyVerdict][] = [
    [
      'east->west',
      judgeCopy(
        story.producers.east.acknowledged,
        bornEast,
        await readTopic('west', west, `east.${topic}`),
      ),
    ],
    [
      'west->east',
      judgeCopy(
        story.producers.west.acknowledged,
        bornWest,
        await readTopic('east', east, `west.${topic}`),
      ),
    ],
  ];
  let isKept = true;
  for (const [flow, verdict] of copies) {
    const { produced, crossed, lost, twice, outOfOrder } = verdict;
    say(
      `${flow}: ${produced} produced, ${crossed} crossed, ${lost} lost, ${twice} twice, ${outOfOrder} out of order`,
    );
    if (lost + twice + outOfOrder > 0) isKept = false;
  }
  const all = [...bornEast.values(), ...bornWest.values()].flat();
  const skipped = all.filter((value) => !story.read.has(value)).length;
  const reread = [...story.read.values()].filter((count) => count > 1).length;
  say(`${group}: ${all.length} records to read, ${skipped} skipped, ${reread} read again`);
  say(
    `  stated beforehand: at most ${story.rereadStated} that had not crossed; the rest it had read and not committed`,
  );
  say(`  not at west when east died: at least ${story.lostAtLeast}; all of them arrived later`);
  return isKept && skipped === 0;
}

async function main(): Promise<number> {
  const isKept = process.argv.includes('--keep');
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-demo-'));
  let stage: Stage | undefined;
  const end = async (): Promise<void> => {
    await Promise.all([stage?.agents.east.end('SIGTERM'), stage?.agents.west.end('SIGTERM')]);
    await stage?.sandbox.down();
  };
  const onSignal = (): void => void end().finally(() => process.exit(1));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  let isGood = false;
  try {
    const made = await phase('two sites, each a real Apache Kafka', () => setUp(dir));
    stage = made;
    const story = await play(made);
    isGood = await phase('everything is read on both sides and compared', () => judge(made, story));
    say('');
    for (const [name, seconds] of phases) say(`${seconds.toFixed(1).padStart(6)} s  ${name}`);
    say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  in all`);
    say(isGood ? '\nVERDICT: every promise was kept' : '\nVERDICT: a promise was BROKEN');
    if (isKept) {
      say(`\nleft running: ${dir}/mesh.yaml says where; Ctrl-C ends it`);
      await new Promise(() => undefined);
    }
  } catch (error) {
    say(`\nthe demo failed: ${toError(error).stack ?? String(error)}\nlogs are in ${dir}`);
  }
  await end();
  if (isGood) rmSync(dir, { recursive: true, force: true });
  return isGood ? 0 : 1;
}

process.exit(await main());
