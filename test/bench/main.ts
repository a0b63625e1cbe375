/**
 * `npm run bench -- [WORK] [options]`: Causeway and MirrorMaker 2 on the same brokers in one run.
 * Without `--write` figures are only shown; with it they replace their section of docs/benchmarks.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { TcpProxy } from '../support/tcp-proxy.ts';
import { catchup } from './catchup.ts';
import { codecs } from './codecs.ts';
import { compareTopics } from './compare.ts';
import { failoverTable, measureFailovers, movers } from './failover.ts';
import { measureIdle, settleMs } from './idle.ts';
import { measurePositions, positionsTable, type PositionsFigures } from './positions.ts';
import { latency } from './latency.ts';
import { isCodec } from './batch-load.ts';
import { soak } from './soak.ts';
import { offsetMaps } from './offsets.ts';
import { hottest, profile, profileBetween, profileIn } from './profile.ts';
import { chosenReplicators, type Replicator } from './replicators.ts';
import { idleTable, publish, throughputTable } from './report.ts';
import { say } from '../support/say.ts';
import { Stage, type Load } from './stage.ts';
import { measureAll } from './throughput.ts';

const help = `npm run bench -- [WORK] [options]

  throughput   a backlog copied by each replicator in turn (the default)
  growth       the same with few and many partitions, and with small and large batches
  latency      how long a record takes at an even rate
  soak         memory of an agent under load for long
  profile      where the CPU of an agent goes while it copies the first of the loads, in its --lane
  codecs       what compressing a stamped batch costs, in pure memory
  offsets      what offset maps cost, in pure memory
  catchup      a backlog copied over a long link, while another topic is written to
  idle         CPU of three agents, each with two flows, while nothing happens
  failover     what a failover costs groups that lag, beside MirrorMaker 2
  positions    how soon a commit of a group is known at another site, and what that costs

  --sizes 100,1024          bytes per record
  --records 4000000,800000  records, one count for each size
  --codecs none             none, gzip, snappy, lz4, zstd: several with commas
  --replicators causeway,mm2   also causeway-pass, mm2-defaults
  --runs 3                  rounds; each measures every replicator once
  --partitions 4
  --batch-bytes 16384       batch.size of the producer that loads the source: several with commas
  --compare                 after each run of Causeway, compare the whole copy with its source

For growth, besides records, of which the first counts, and runs:
  --partition-counts 4,64,1000
  --batch-records 1,16,500  records in a batch of the source; profile takes one such count too

For latency:
  --rates 500,20000         records a second; besides sizes, replicators, runs and seconds

For soak:
  --minutes 60
  --rate 1000               records a second; besides sizes, codecs and partitions

For catchup, besides sizes, records, codecs, partitions and runs, of which the first counts:
  --round-trip 80           in ms
  --caps 20,100             of the link, MB/s

For idle:
  --topics 300              at each site
  --partitions 6            of each topic
  --seconds 60              to be measured
  --no-mm2                  without the topics that clients of MirrorMaker 2 read
  --profile                 where the CPU of the last agent goes, instead of the table

For positions:
  --groups 10000            each with commits in --partitions (6) partitions
  --log 1000000             commits in the log before the agent starts
  --rate 1000               commits of groups a second, over --seconds
  --kafka 4.3.0             of the site: several with commas

For failover:
  --lags 0,1000,10000,100000,1000000   records that groups are behind
  --runs 3, --rate 1000 a second, over --seconds, before the source is killed

For all:
  --write                   write the table to docs/benchmarks.md
  --section NAME            into another section of it than that of the work
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sizes: { type: 'string', default: '100,1024' },
    records: { type: 'string', default: '4000000,800000' },
    codecs: { type: 'string', default: 'none' },
    replicators: { type: 'string', default: 'causeway,mm2' },
    runs: { type: 'string', default: '3' },
    partitions: { type: 'string' },
    'partition-counts': { type: 'string', default: '4,64,1000' },
    'batch-records': { type: 'string' },
    rates: { type: 'string', default: '500,20000' },
    minutes: { type: 'string', default: '60' },
    'round-trip': { type: 'string', default: '80' },
    caps: { type: 'string', default: '20,100' },
    topics: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '60' },
    groups: { type: 'string', default: '10000' },
    log: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '1000' },
    lags: { type: 'string', default: '0,1000,10000,100000,1000000' },
    kafka: { type: 'string', default: '4.3.0' },
    lane: { type: 'string', default: 'stamp' },
    'no-mm2': { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    'batch-bytes': { type: 'string', default: '16384' },
    compare: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    section: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const [name = 'throughput'] = positionals;

function loads(): Load[] {
  const sizes = values.sizes.split(',').map(Number);
  const counts = values.records.split(',').map(Number);
  const batchSizes = values['batch-bytes'].split(',').map(Number);
  const kinds = values.codecs
    .split(',')
    .flatMap((codec) => batchSizes.map((batchBytes) => ({ codec, batchBytes })));
  return sizes.flatMap((bytesPerRecord, at) =>
    kinds.map(({ codec, batchBytes }) => ({
      topic: `load-${bytesPerRecord}-${codec}-${batchBytes}`,
      records: counts[at] ?? counts[0] ?? 0,
      bytesPerRecord,
      codec,
      partitions: Number(values.partitions ?? 4),
      batchBytes,
    })),
  );
}

async function compare(stage: Stage, load: Load, replicator: Replicator): Promise<void> {
  if (!replicator.name.startsWith('Causeway')) return;
  const compared = await compareTopics(
    { cluster: stage.east, topic: load.topic, site: 'east' },
    { cluster: stage.west, topic: `east.${load.topic}` },
    !replicator.name.includes('pass'),
  );
  say(`  compared ${compared} records in full: equal`);
}

async function throughput(): Promise<void> {
  await using stage = await Stage.open();
  const all = await measureAll(stage, {
    loads: loads(),
    replicators: chosenReplicators(values.replicators),
    runs: Number(values.runs),
    ...(values.compare ? { check: compare } : {}),
  });
  tell(throughputTable(all, 'MM2 tuned'));
}

async function growth(): Promise<void> {
  const [load] = loads();
  if (load === undefined) return;
  const all = values['partition-counts'].split(',').flatMap((partitions) =>
    (values['batch-records'] ?? '1,16,500').split(',').map((count) => {
      const topic = `load-${partitions}-${count}`;
      const shape = { partitions: Number(partitions), recordsPerBatch: Number(count) };
      return { ...load, ...shape, topic };
    }),
  );
  await using stage = await Stage.open();
  const replicators = chosenReplicators(values.replicators);
  const found = await measureAll(stage, { loads: all, replicators, runs: Number(values.runs) });
  tell(throughputTable(found, 'MM2 tuned'));
}

async function latencies(): Promise<void> {
  await using stage = await Stage.open();
  const found = await latency(stage, {
    replicators: chosenReplicators(values.replicators),
    rates: values.rates.split(',').map(Number),
    bytesPerRecord: Number(values.sizes.split(',')[0]),
    seconds: Number(values.seconds),
    runs: Number(values.runs),
  });
  tell(found);
}

async function soaked(): Promise<void> {
  const codecs = values.codecs.split(',');
  const unknown = codecs.filter((codec) => !isCodec(codec));
  if (unknown.length > 0) throw new Error(`no codec ${unknown.join()}`);
  await using stage = await Stage.open();
  const found = await soak(stage, {
    minutes: Number(values.minutes),
    rate: Number(values.rate),
    bytesPerRecord: Number(values.sizes.split(',')[0]),
    codecs: codecs.filter(isCodec),
    partitions: Number(values.partitions ?? 4),
  });
  tell(found);
}

async function idle(): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-idle-profile-'));
  const seconds = Number(values.seconds);
  const figures = await measureIdle({
    topics: Number(values.topics),
    partitions: Number(values.partitions ?? 6),
    seconds,
    hasMm2Topics: !values['no-mm2'],
    lastNodeArgs: values.profile ? ['--cpu-prof', '--cpu-prof-dir', dir] : [],
  });
  if (values.profile) {
    const startSeconds = Math.max(...figures.map((one) => one.startSeconds));
    const from = startSeconds + settleMs / 1000;
    const shares = `${figures.at(-1)?.cpuPercent.toFixed(1) ?? ''} % of a core under the profiler`;
    const found = hottest(profileBetween(profileIn(dir), from, from + seconds));
    tell(`${seconds} s of one agent, ${shares}\n\n${found}`);
  } else tell(idleTable(figures));
  rmSync(dir, { recursive: true });
}

async function positions(): Promise<void> {
  const figures: PositionsFigures[] = [];
  for (const version of values.kafka.split(',')) {
    const plan = {
      groups: Number(values.groups),
      partitions: Number(values.partitions ?? 6),
      records: Number(values.log),
      commitsPerSecond: Number(values.rate),
      seconds: Number(values.seconds),
    };
    figures.push(await measurePositions(plan, version));
  }
  tell(positionsTable(figures));
}

/** More than any of the links holds, so that the link's cap and delay alone count. */
const windowBytes = 16 * 1024 * 1024;

async function catchUp(): Promise<void> {
  await using proxy = await TcpProxy.open({ windowBytes });
  await using stage = await Stage.open({ wanPort: proxy.port });
  proxy.forwardTo(stage.sandbox.site('east').wanListeners[0] ?? '');
  const [load] = loads();
  if (load === undefined) return;
  const caps = values.caps.split(',').map(Number);
  const plan = { load, caps, roundTripMs: Number(values['round-trip']), runs: Number(values.runs) };
  tell(await catchup(stage, proxy, plan));
}

async function failover(): Promise<void> {
  await using stage = await Stage.open();
  const plan = {
    lags: values.lags.split(',').map(Number),
    runs: Number(values.runs),
    perSecond: Number(values.rate),
    seconds: Number(values.seconds),
  };
  tell(failoverTable(await measureFailovers(stage, plan, movers)));
}

/** Shows what was found; with --write in its section of the docs too. */
function tell(found: string): void {
  publish(values.section ?? name, found, values.write);
}

const works: Readonly<Record<string, () => Promise<void>>> = {
  throughput,
  profile: async () => {
    await using stage = await Stage.open();
    const [load] = loads();
    const flow = `lane: ${values.lane}`;
    const count = values['batch-records'];
    const shape = count === undefined ? {} : { recordsPerBatch: Number(count) };
    if (load !== undefined) tell(await profile(stage, { ...load, ...shape }, flow));
  },
  growth,
  latency: latencies,
  soak: soaked,
  catchup: catchUp,
  codecs: async () => tell(await codecs()),
  offsets: async () => tell(await offsetMaps()),
  idle,
  positions,
  failover,
};
const work = works[name];
if (values.help) process.stdout.write(help);
else if (work === undefined) {
  say(`no work ${name}; there are: ${Object.keys(works).join(', ')}\n\n${help}`);
  process.exitCode = 2;
} else await work();
