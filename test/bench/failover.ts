/**
 * What a failover costs groups that lag by little or by much: a source under load is killed with
 * -9; where each group goes on at the target is held against what it had committed. Causeway moves
 * groups by a failover, MirrorMaker 2 by keeping their offsets in step at the target.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { siteName } from '../../src/base/ids.ts';
import { openAgentClient } from '../../src/client/agent-client.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { encodeBatch } from '../../src/records/build-batch.ts';
import { parseTopology } from '../../src/topology/parse.ts';
import { testDeps } from '../support/deps.ts';
import { until } from '../support/until.ts';
import { records } from './compare.ts';
import { causeway, mirrorMaker, type Replicator, type Running } from './replicators.ts';
import { spreadText, table } from './report.ts';
import { say } from '../support/say.ts';
import type { Stage } from './stage.ts';
import { readFileSync } from 'node:fs';

export interface FailoverPlan {
  /** Records that each group is behind the end. */
  readonly lags: readonly number[];
  readonly runs: number;
  readonly perSecond: number;
  /** Under load before the source dies. */
  readonly seconds: number;
}

export interface FailoverFigures {
  readonly replicator: string;
  readonly lag: number;
  readonly again: number;
  readonly skipped: number;
}

const topic = 'load-failover';
const recordBytes = 100;
const batchRecords = 500;
/** The default is a minute. */
const mm2IntervalSeconds = 5;
const crossMsMax = 240_000;

const mm2Groups = [
  'east->west.sync.group.offsets.enabled=true',
  `emit.checkpoints.interval.seconds=${mm2IntervalSeconds}`,
  `sync.group.offsets.interval.seconds=${mm2IntervalSeconds}`,
  `refresh.groups.interval.seconds=${mm2IntervalSeconds}`,
];

export interface Mover {
  readonly replicator: Replicator;
  /** After the source has died: each group is to have its offset at the target. */
  readonly move: (stage: Stage, groups: readonly string[]) => Promise<void>;
}

export const movers: readonly Mover[] = [
  { replicator: causeway(), move: failOver },
  {
    replicator: { ...mirrorMaker(false, mm2Groups), name: 'MM2 defaults' },
    move: () => sleep(mm2IntervalSeconds * 2_000),
  },
  {
    replicator: {
      ...mirrorMaker(false, [...mm2Groups, 'offset.lag.max=0']),
      name: 'MM2, offset.lag.max=0',
    },
    move: () => sleep(mm2IntervalSeconds * 2_000),
  },
];

async function failOver(stage: Stage, groups: readonly string[]): Promise<void> {
  const file = stage.sandbox.meshFile;
  const address = [...parseTopology(readFileSync(file, 'utf8'), file).sites.values()].find(
    ({ name }) => name === 'west',
  )?.agents[0]?.grpc;
  await using client = openAgentClient({ address: address ?? '', timeoutMs: 30_000 }, testDeps());
  const sites = { from: siteName('east'), to: siteName('west') };
  for (const group of groups) {
    const request = { group, ...sites, overwrite: false };
    const report = await client.executeFailover(request, undefined, 'bench');
    const [position] = report.committed;
    say(`  ${group}: ${position?.certainty ?? 'nothing'} ${position?.reason ?? ''}`);
  }
}

const groupOf = (lag: number): string => `lag-${lag}`;

export async function measureFailovers(
  stage: Stage,
  plan: FailoverPlan,
  chosen: readonly Mover[],
): Promise<FailoverFigures[]> {
  const figures: FailoverFigures[] = [];
  for (let run = 1; run <= plan.runs; run += 1) {
    for (const mover of chosen) {
      say(`run ${run}: ${mover.replicator.name}`);
      figures.push(...(await measureOne(stage, plan, mover)));
    }
  }
  return figures;
}

async function measureOne(
  stage: Stage,
  plan: FailoverPlan,
  { replicator, move }: Mover,
): Promise<FailoverFigures[]> {
  await stage.makeTopic(topic, 1);
  const backlog = Math.max(...plan.lags) + 100_000;
  const source = new Source(stage.east);
  // Groups are there before the replicator, which may look for them but seldom.
  await source.write(batchRecords);
  await commitAll(source, plan.lags);
  const running = await replicator.start(stage);
  try {
    while (source.written < backlog) await source.write(batchRecords);
    await copied(stage, source);
    const committed = await loadUntilDeath(stage, source, plan);
    await move(stage, plan.lags.map(groupOf));
    return await judge(stage, plan, replicator.name, committed);
  } finally {
    await end(stage, running);
  }
}

/** The replicator has come after it, whichever it is. */
async function copied(stage: Stage, { written }: Source): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await stage.end('west', `east.${topic}`)) >= written;
  await until('the backlog to cross', isThere, crossMsMax);
}

/** Offsets of the groups, as they were acknowledged last. */
async function loadUntilDeath(
  stage: Stage,
  source: Source,
  plan: FailoverPlan,
): Promise<Map<number, number>> {
  const committed = new Map<number, number>();
  const startedMs = performance.now();
  const before = source.written;
  for (let round = 0; performance.now() - startedMs < plan.seconds * 1_000; round += 1) {
    const due = ((performance.now() - startedMs) / 1_000) * plan.perSecond;
    while (source.written - before < due) await source.write(batchRecords / 5);
    for (const [lag, offset] of await commitAll(source, plan.lags)) committed.set(lag, offset);
    await sleep(200);
  }
  await stage.sandbox.site('east').kill();
  return committed;
}

async function commitAll(source: Source, lags: readonly number[]): Promise<Map<number, number>> {
  const committed = new Map<number, number>();
  for (const lag of lags) {
    const offset = Math.max(0, source.written - lag);
    const at = { topic, partition: 0, offset: BigInt(offset), metadata: '' };
    const [result] = await source.cluster.commitGroupOffsets(groupOf(lag), [at]);
    if (result?.errorCode !== 0) throw new Error(`${groupOf(lag)}: ${result?.errorCode ?? ''}`);
    committed.set(lag, offset);
  }
  return committed;
}

/** What stands in the copy before and behind the place where each group goes on. */
async function judge(
  stage: Stage,
  { lags }: FailoverPlan,
  replicator: string,
  committed: ReadonlyMap<number, number>,
): Promise<FailoverFigures[]> {
  const copy: { place: number; number: number }[] = [];
  for await (const { offset, value } of records(stage.west, `east.${topic}`, 0)) {
    copy.push({ place: offset, number: value?.readUInt32BE(0) ?? -1 });
  }
  const figures: FailoverFigures[] = [];
  for (const lag of lags) {
    const read = committed.get(lag) ?? 0;
    const offsets = await stage.west.groupOffsets(groupOf(lag));
    const found = offsets.find((one) => one.topic === `east.${topic}` && one.offset >= 0n);
    // Without an offset it begins at the start.
    const at = Number(found?.offset ?? 0);
    const again = copy.filter(({ place, number }) => place >= at && number < read).length;
    const skipped = copy.filter(({ place, number }) => place < at && number >= read).length;
    const words = found === undefined ? 'no offset' : `@${at}`;
    say(`  lag ${lag}: read up to ${read}; ${words}: ${again} again, ${skipped} skipped`);
    figures.push({ replicator, lag, again, skipped });
  }
  return figures;
}

/** Everything as before the first run. */
async function end(stage: Stage, running: Running): Promise<void> {
  await running.stop();
  await stage.sandbox.site('east').start();
  await until('east to answer', async () => (await stage.end('east', topic)) > 0, 60_000);
  await stage.clean([]);
}

/** One partition, whose records have their offset as their number in the value. */
class Source {
  readonly cluster: KafkaCluster;
  written = 0;

  constructor(cluster: KafkaCluster) {
    this.cluster = cluster;
  }

  async write(count: number): Promise<void> {
    const batch = encodeBatch(
      Array.from({ length: count }, (_, index) => {
        const value = Buffer.alloc(recordBytes, 'v');
        value.writeUInt32BE(this.written + index);
        return { key: null, value, timestampMs: Date.now() };
      }),
    );
    const leader = (await this.cluster.metadata()).topics.get(topic)?.partitions[0]?.leader ?? -1;
    await using link = await this.cluster.openLink(leader, 'bench');
    const [answer] = await link.produce({
      batches: [{ topic, partition: 0, batch }],
      timeoutMs: 10_000,
    });
    if (answer?.errorCode !== 0) throw new Error(`Kafka error ${answer?.errorCode ?? ''}`);
    this.written += count;
  }
}

export function failoverTable(all: readonly FailoverFigures[]): string {
  const lags = [...new Set(all.map(({ lag }) => lag))];
  const names = [...new Set(all.map(({ replicator }) => replicator))];
  const rows = lags.flatMap((lag) =>
    names.map((name) => {
      const own = all.filter((one) => one.lag === lag && one.replicator === name);
      return [
        lag.toLocaleString('en'),
        name,
        spreadText(own.map(({ again }) => again)),
        spreadText(own.map(({ skipped }) => skipped)),
      ];
    }),
  );
  return table(['group behind by', 'replicator', 'records read again', 'skipped'], rows);
}
