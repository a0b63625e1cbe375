/**
 * One round of losing a site and coming back: groups read at their home under load; it dies, all
 * of it at once; they go on at the survivor by `causeway failover`; the site returns; they go home
 * by `causeway switchover`, under load again. Then all logs are read whole and every promise is held
 * against them.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reportSchema, type ReportJson } from '../../src/client/answers.ts';
import { deleteRecords } from '../../src/kafka/delete-records.ts';
import { SteadyMember, type MemberClient } from '../support/steady-member.ts';
import { Lineage } from '../support/lineage.ts';
import { causeway } from '../support/mesh.ts';
import { NumberedLog, plainCodecs, readNumbered } from '../support/numbered-log.ts';
import type { BornAt, OwnMesh } from '../support/own-mesh.ts';
import type { Seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';
import { judgeGroup, type GroupCounts, type LogRead } from './failover-judge.ts';

const partitions = 2;
const catchUpMsMax = 60_000;

export interface Story {
  readonly mesh: OwnMesh;
  readonly dir: string;
  readonly home: string;
  readonly other: string;
  readonly topic: string;
  readonly groups: readonly string[];
  /** Born at both sites. */
  readonly logs: readonly NumberedLog[];
}

export function storyOf(
  mesh: OwnMesh,
  dir: string,
  { home, other }: { readonly home: string; readonly other: string },
  groups: readonly string[],
): Story {
  const topic = `orders-${home}`;
  const logs = [home, other].flatMap((site) =>
    Array.from(
      { length: partitions },
      (_, partition) => new NumberedLog(mesh.cluster(site), topic, partition, plainCodecs),
    ),
  );
  return { mesh, dir, home, other, topic, groups, logs };
}

/** Where the logs of a story are born. */
export function bornAt({ logs }: Story): BornAt[] {
  return logs.map(({ cluster, topic, partition }) => ({ site: cluster.name, topic, partition }));
}

export interface RoundOptions {
  readonly random: Seeded;
  readonly client: MemberClient;
  readonly say: (text: string) => void;
}

export interface RoundResult {
  readonly counts: GroupCounts[];
  /** Each a promise that was not kept. */
  readonly breaches: string[];
  /** Seconds of each part. */
  readonly parts: Record<string, number>;
}

/** What was read, by where it was read. */
interface Phases {
  readonly atHome: SteadyMember;
  atOther?: SteadyMember;
  back?: SteadyMember;
  report?: ReportJson;
  wayHome?: ReportJson;
}

export class FailoverRound {
  readonly #story: Story;
  readonly #options: RoundOptions;
  readonly #phases = new Map<string, Phases>();
  readonly #loads = new Map<string, { stop: AbortController; done: Promise<void> }>();
  readonly #parts: Record<string, number> = {};
  #killedAtMs = 0;
  /** Ends of the copies at the survivor when the site died. */
  #copiedUpTo = new Map<string, number>();
  #writtenUpTo: readonly number[] = [];

  constructor(story: Story, options: RoundOptions) {
    this.#story = story;
    this.#options = options;
  }

  async run(): Promise<RoundResult> {
    const { mesh, home, other } = this.#story;
    const { random } = this.#options;
    await this.#part('reading at home', () => this.#begin());
    await this.#part('the site dies', () => this.#die());
    await this.#part('failover', () => this.#failOver());
    await this.#part('the site returns', async () => {
      await sleep(random.int(0, 1_500));
      await mesh.restartSite(home);
    });
    this.#load(home);
    await this.#part('switchover', () => this.#goHome());
    await sleep(random.int(200, 1_000));
    await Promise.all([home, other].map((site) => this.#stopLoad(site)));
    const lineages = await this.#part('reading on to the end', () => this.#catchUp());
    const result = this.#judge(lineages);
    await this.#end();
    return { ...result, parts: this.#parts };
  }

  /** Members at home, each with its own pace, have read something. */
  async #begin(): Promise<void> {
    const { home, other, groups } = this.#story;
    const { random } = this.#options;
    for (const site of [home, other]) this.#load(site);
    for (const [index, group] of groups.entries()) {
      // Some keep up, some fall behind.
      const perSecond = index % 2 === 0 ? 0 : random.int(100, 700);
      const commitMs = random.pick([100, 300, 1_000, 3_000]);
      const atHome = await this.#member(home, group, perSecond, commitMs);
      this.#phases.set(group, { atHome });
    }
    await until(
      'all groups to read at home',
      () => this.#each(({ atHome }) => hasBegun(atHome) && atHome.commits.size > 0),
      catchUpMsMax,
    );
    await sleep(random.int(500, 4_000));
  }

  async #die(): Promise<void> {
    const { mesh, home } = this.#story;
    this.#copiedUpTo = await this.#ends();
    this.#killedAtMs = performance.now();
    const members = [...this.#phases.values()].map(({ atHome }) => atHome.kill());
    await Promise.all([mesh.killSite(home), ...members]);
    await this.#stopLoad(home);
    this.#writtenUpTo = this.#story.logs.map(({ count }) => count);
  }

  async #failOver(): Promise<void> {
    const { mesh, dir, home, other, groups } = this.#story;
    const moving = groups.map(async (group) => {
      const file = path.join(dir, `${group}.json`);
      const sites = ['--from', home, '--to', other, '--topology', mesh.file];
      const args = ['failover', '--group', group, ...sites, '--execute', '--report', file];
      const { code, text } = await causeway(...args);
      if (code !== 0) throw new Error(`failover of ${group}: exit code ${code}: ${text}`);
      const phases = this.#phases.get(group)!;
      phases.report = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      phases.atOther = await this.#member(other, group, 0, 300);
    });
    await Promise.all(moving);
    await until(
      'all groups to read at the survivor',
      () => this.#each(({ atOther }) => atOther !== undefined && hasBegun(atOther)),
      catchUpMsMax,
    );
  }

  /** While both sites are written to. */
  async #goHome(): Promise<void> {
    const { mesh, dir, home, other, groups } = this.#story;
    const moving = groups.map(async (group) => {
      const phases = this.#phases.get(group)!;
      await phases.atOther?.leave();
      const sites = ['--from', other, '--to', home, '--topology', mesh.file];
      const file = path.join(dir, `${group}-home.json`);
      const how = ['--execute', '--wait', '60', '--report', file];
      const { code, text } = await causeway('switchover', '--group', group, ...sites, ...how);
      if (code !== 0) throw new Error(`switchover of ${group}: exit code ${code}: ${text}`);
      phases.wayHome = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      phases.back = await this.#member(home, group, 0, 300);
    });
    await Promise.all(moving);
  }

  /** Until every group has read all that stands in the logs at home. */
  async #catchUp(): Promise<Lineage[]> {
    const { mesh } = this.#story;
    await mesh.crossed(bornAt(this.#story));
    const lineages = await this.#read();
    const { home, groups } = this.#story;
    const left = (): string[] =>
      groups.flatMap((group) => {
        const { back } = this.#phases.get(group)!;
        return lineages.flatMap((lineage) => {
          const last = lineage.log(home).ids.at(-1);
          const name = logName(lineage, home);
          const known = back?.last.get(name) ?? this.#lastRead(group, lineage);
          return last === undefined || known >= last ? [] : [`${group}: ${name} to ${last}`];
        });
      });
    await until(
      'all groups to have read everything',
      () => left().length === 0,
      catchUpMsMax,
    ).catch(
      // Whoever judges says what was skipped.
      () => this.#options.say(`not read to the end: ${left().slice(0, 3).join('; ')}`),
    );
    return lineages;
  }

  #judge(lineages: readonly Lineage[]): Omit<RoundResult, 'parts'> {
    const { home, other, groups } = this.#story;
    const breaches: string[] = [];
    const counts = groups.map((group) => {
      const { atHome, atOther, back, report, wayHome } = this.#phases.get(group)!;
      const logs = lineages.map((lineage, index): LogRead => {
        const [there, here] = [logName(lineage, home), logName(lineage, other)];
        return {
          lineage,
          atHome: numbersByLog(atHome.read).get(there) ?? [],
          atOther: numbersByLog(atOther?.read ?? []).get(here) ?? [],
          back: numbersByLog(back?.read ?? []).get(there) ?? [],
          commits: atHome.commits.get(there) ?? [],
          position: positionOf(report, there),
          wayHome: positionOf(wayHome, here),
          copiedUpTo: this.#copiedUpTo.get(here) ?? 0,
          writtenUpTo: this.#writtenUpTo[index] ?? 0,
        };
      });
      const moment = { group, home, other, killedAtMs: this.#killedAtMs };
      const lossStated = Number(report?.plan.lossRecordsAtLeast ?? 0);
      const judged = judgeGroup(moment, logs, lossStated);
      breaches.push(...judged.breaches);
      return judged.counts;
    });
    return { counts, breaches };
  }

  /** Everything was read: the logs are emptied, so that the next round is as short. */
  async #end(): Promise<void> {
    const { mesh, home, other, topic } = this.#story;
    await Promise.all([...this.#phases.values()].flatMap(({ back }) => back?.leave() ?? []));
    for (const site of [home, other]) {
      const cluster = mesh.cluster(site);
      for (const name of [topic, `${site === home ? other : home}.${topic}`]) {
        for (let partition = 0; partition < partitions; partition += 1) {
          const [end] = await cluster.listOffsets([{ topic: name, partition }], 'latest');
          if (end?.errorCode !== 0) throw new Error(`${name}/${partition} has no end`);
          await deleteRecords(cluster, { topic: name, partition }, end.offset);
        }
      }
    }
  }

  #member(site: string, group: string, perSecond: number, commitMs: number): Promise<SteadyMember> {
    const { mesh, home, other, topic } = this.#story;
    const topics = [topic, `${site === home ? other : home}.${topic}`];
    const { client } = this.#options;
    const brokers = mesh.brokers(site);
    return SteadyMember.start({ client, brokers, group, topics, perSecond, commitMs });
  }

  /** Writes at a site until it is told to stop, or the site dies. */
  #load(site: string): void {
    const stop = new AbortController();
    const { random } = this.#options;
    const logs = this.#story.logs.filter(({ cluster }) => cluster.name === site);
    const writing = logs.map(async (log) => {
      while (!stop.signal.aborted) {
        try {
          await log.append(random.int(1, 20), random);
        } catch {
          // What was not acknowledged was never promised; it may be there all the same.
          return;
        }
        await sleep(random.int(5, 60));
      }
    });
    this.#loads.set(site, { stop, done: Promise.all(writing).then(() => undefined) });
  }

  async #stopLoad(site: string): Promise<void> {
    const load = this.#loads.get(site);
    load?.stop.abort();
    await load?.done;
  }

  async #read(): Promise<Lineage[]> {
    const { mesh, home, other, logs } = this.#story;
    const reading = logs.map(async ({ cluster, topic, partition }) => {
      const lineage = new Lineage(cluster.name, topic, partition);
      for (const site of [home, other]) {
        const name = lineage.nameAt(site);
        lineage.observe(site, await readNumbered(mesh.cluster(site), name, partition));
      }
      return lineage;
    });
    return Promise.all(reading);
  }

  /** Ends of all copies at the survivor, by `topic/partition`. */
  async #ends(): Promise<Map<string, number>> {
    const { mesh, home, other, topic } = this.#story;
    const at = Array.from({ length: partitions }, (_, partition) => {
      return { topic: `${home}.${topic}`, partition };
    });
    const listed = await mesh.cluster(other).listOffsets(at, 'latest');
    return new Map(listed.map((one) => [`${one.topic}/${one.partition}`, Number(one.offset)]));
  }

  /** The last number that the group had read before it came back, or that was read before. */
  #lastRead(group: string, lineage: Lineage): number {
    const { home, other } = this.#story;
    const { atHome, atOther } = this.#phases.get(group)!;
    const atEither = [
      atHome.last.get(logName(lineage, home)),
      atOther?.last.get(logName(lineage, other)),
    ];
    return Math.max(...atEither.map((last) => last ?? -1));
  }

  #each(isSo: (phases: Phases) => boolean): boolean {
    return [...this.#phases.values()].every(isSo);
  }

  async #part<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await work();
    this.#parts[name] = (performance.now() - startedMs) / 1000;
    return result;
  }
}

function positionOf(report: ReportJson | undefined, log: string): LogRead['position'] {
  return report?.committed.find(({ source }) => `${source.topic}/${source.partition}` === log);
}

function hasBegun(member: SteadyMember): boolean {
  member.check();
  return member.read.length > 50;
}

function logName(lineage: Lineage, site: string): string {
  return `${lineage.nameAt(site)}/${lineage.partition}`;
}

function numbersByLog(read: readonly SteadyMember['read'][number][]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { log, number } of read) {
    const numbers = found.get(log);
    if (numbers === undefined) found.set(log, [number]);
    else numbers.push(number);
  }
  return found;
}
