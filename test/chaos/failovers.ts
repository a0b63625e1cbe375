/**
 * `npm run failovers [-- --help]`: a site is killed under load, again and again, each time at another
 * moment; its groups go on at the survivor and come home again. A record that is skipped, or read
 * again though that was not said, is a promise broken. With a state file a run that was ended goes
 * on where it was.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { MemberClient } from '../support/steady-member.ts';
import { OwnMesh } from '../support/own-mesh.ts';
import { quickReturn } from '../support/quick-return.ts';
import { say } from '../support/say.ts';
import { count, oneOf, script } from '../support/script.ts';
import { Seeded } from '../support/seeded.ts';
import { makeTopic } from '../support/topics.ts';
import type { GroupCounts } from './failover-judge.ts';
import { bornAt, FailoverRound, storyOf, type Story } from './failover-round.ts';

export interface FailoversOptions {
  /** Of groups; each time that a site dies several fail over. */
  readonly count: number;
  readonly groups: number;
  readonly seed: number;
  readonly client: MemberClient;
  readonly stateFile?: string | undefined;
}

export type FailoverTotals = Omit<GroupCounts, 'group'> & {
  readonly seed: number;
  /** Times that a site was killed. */
  readonly rounds: number;
  readonly failovers: number;
  readonly breaches: readonly string[];
  readonly seconds: number;
};

type Say = (text: string) => void;

function noTotals(seed: number): FailoverTotals {
  return {
    seed,
    rounds: 0,
    failovers: 0,
    read: 0,
    skipped: 0,
    again: 0,
    againNotCommitted: 0,
    againNotKnown: 0,
    againByTranslation: 0,
    againStated: 0,
    exactPositions: 0,
    positions: 0,
    late: 0,
    lateStated: 0,
    againAtHome: 0,
    breaches: [],
    seconds: 0,
  };
}

function add(totals: FailoverTotals, counts: GroupCounts): FailoverTotals {
  const sum = (key: Exclude<keyof GroupCounts, 'group'>): number => totals[key] + counts[key];
  return {
    ...totals,
    failovers: totals.failovers + 1,
    read: sum('read'),
    skipped: sum('skipped'),
    again: sum('again'),
    againNotCommitted: sum('againNotCommitted'),
    againNotKnown: sum('againNotKnown'),
    againByTranslation: sum('againByTranslation'),
    againStated: sum('againStated'),
    exactPositions: sum('exactPositions'),
    positions: sum('positions'),
    late: sum('late'),
    lateStated: sum('lateStated'),
    againAtHome: sum('againAtHome'),
  };
}

function load({ stateFile, seed }: FailoversOptions): FailoverTotals {
  if (stateFile === undefined || !existsSync(stateFile)) return noTotals(seed);
  // Written by this program.
  return JSON.parse(readFileSync(stateFile, 'utf8')) as FailoverTotals;
}

const sites = [
  { name: 'east', kafkaVersion: '3.9.2', extraConfig: quickReturn },
  { name: 'west', kafkaVersion: '4.3.0', extraConfig: quickReturn },
] as const;

export async function failovers(options: FailoversOptions, say: Say): Promise<FailoverTotals> {
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-failovers-'));
  const totals = await failoversIn(dir, options, say);
  if (isKept(totals)) rmSync(dir, { recursive: true, force: true });
  else say(`logs are in ${dir}`);
  return totals;
}

async function failoversIn(
  dir: string,
  options: FailoversOptions,
  say: Say,
): Promise<FailoverTotals> {
  const startedMs = performance.now();
  let totals = load(options);
  const before = totals.seconds;
  const names = sites.map(({ name }) => name);
  const groupsOf = (home: string): string[] =>
    Array.from({ length: options.groups }, (_, index) => `billing-${home}-${index}`);
  const modes = names.flatMap((home) =>
    groupsOf(home).map((group) => `${group}: {mode: single, home: ${home}}`),
  );
  const more = [`defaults: {groups: {modes: {${modes.join(', ')}}}}`];
  await using mesh = await OwnMesh.open({ dir, sites, more, onProgress: say });
  const stories = [
    storyOf(mesh, dir, { home: 'east', other: 'west' }, groupsOf('east')),
    storyOf(mesh, dir, { home: 'west', other: 'east' }, groupsOf('west')),
  ] as const;
  await prepare(mesh, stories);
  while (totals.failovers < options.count) {
    const random = new Seeded(options.seed * 1_000_003 + totals.rounds);
    const story = stories[totals.rounds % 2 === 0 ? 0 : 1];
    const { client } = options;
    const round = await new FailoverRound(story, { random, client, say }).run();
    for (const counts of round.counts) totals = add(totals, counts);
    totals = {
      ...totals,
      rounds: totals.rounds + 1,
      breaches: [...totals.breaches, ...round.breaches],
      seconds: Math.round(before + (performance.now() - startedMs) / 1000),
    };
    if (options.stateFile !== undefined) {
      writeFileSync(options.stateFile, `${JSON.stringify(totals, null, 1)}\n`);
    }
    const parts = Object.entries(round.parts).map(([name, s]) => `${name} ${s.toFixed(1)} s`);
    say(`${totals.seconds} s: ${totals.failovers} of ${options.count}; ${parts.join(', ')}`);
    for (const breach of round.breaches) say(`BROKEN: ${breach}`);
  }
  return totals;
}

/** Topics at both sites, copied both ways: every copy has begun. */
async function prepare(mesh: OwnMesh, stories: readonly Story[]): Promise<void> {
  for (const { topic } of stories) {
    for (const name of mesh.names) await makeTopic(mesh.cluster(name), topic, 2);
  }
  await mesh.startAgents();
  await mesh.crossed(stories.flatMap(bornAt));
}

export function isKept({ skipped, againAtHome, breaches, positions }: FailoverTotals): boolean {
  return positions > 0 && skipped + againAtHome + breaches.length === 0;
}

if (process.argv[1]?.endsWith('failovers.ts') === true) {
  const about =
    'Kill a site under load, again and again; its groups go on elsewhere, and come home.';
  const given = script('failovers', about)
    .option('--count <n>', 'failovers of groups in all', count, 200)
    .option('--groups <n>', 'of each site: all fail over when it dies', count, 4)
    .option('--seed <n>', 'of the moments', count, 1)
    .addOption(oneOf('--client <client>', 'of the groups', ['kafkajs', 'librdkafka']))
    .option('--state <file>', 'what was counted; with it a run that was ended goes on')
    .parse()
    .opts<Omit<FailoversOptions, 'stateFile'> & { state?: string }>();
  const totals = await failovers({ ...given, stateFile: given.state }, say);
  process.stdout.write(`${JSON.stringify(totals, null, 1)}\n`);
  process.exit(isKept(totals) ? 0 : 1);
}
