/**
 * `npm run oracle [-- --help]`: committed offsets of every pair of sites, in logs of every kind,
 * asked of the agents in bulk. The truth is found by reading all logs whole: no answer may be ahead
 * of it, an exact one is to be it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidArgumentError } from 'commander';
import { siteName } from '../../src/base/ids.ts';
import type { TranslatedPosition } from '../../src/groups/answer.ts';
import { OwnMesh } from '../support/own-mesh.ts';
import { quickReturn } from '../support/quick-return.ts';
import { say } from '../support/say.ts';
import { count, script } from '../support/script.ts';
import { until } from '../support/until.ts';
import { kinds, OracleStage, type Born, type Kind } from './oracle-stage.ts';

const allSites = [
  { name: 'east', kafkaVersion: '3.9.2' },
  { name: 'west', kafkaVersion: '4.3.0' },
  { name: 'north', kafkaVersion: '4.3.0' },
] as const;
const extraConfig = { ...quickReturn, 'log.cleaner.backoff.ms': '1000' };
const positionsPerCall = 500;
const breachesShown = 20;

export interface OracleOptions {
  /** Of each kind. */
  readonly positions: number;
  readonly kinds: readonly Kind[];
  readonly seed: number;
  readonly sites: number;
  /** In each partition, about. */
  readonly records: number;
  /** Rounds in which all agents are killed under load. */
  readonly kills: number;
}

export interface KindReport {
  asked: number;
  exact: number;
  lowerBound: number;
  unknown: number;
  /** A record would be skipped. */
  ahead: number;
  /** Called exact, and not the record. */
  notExact: number;
  /** Not exact, though nothing that it would need is gone. */
  exactnessMissing: number;
  /** Before the start of the log that it is in. */
  belowStart: number;
  readonly reasons: Record<string, number>;
}

export interface OracleReport {
  readonly kinds: Partial<Record<Kind, KindReport>>;
  /** The same, asked while it was written and agents were killed. */
  readonly underLoad: KindReport;
  readonly breaches: string[];
  readonly seconds: number;
}

interface Question {
  readonly born: Born;
  readonly from: string;
  readonly to: string;
  readonly offset: number;
}

type Answer = Pick<TranslatedPosition, 'certainty' | 'reason'> & {
  readonly offset: number | undefined;
};

function noAnswers(): KindReport {
  const none = { asked: 0, exact: 0, lowerBound: 0, unknown: 0, ahead: 0, notExact: 0 };
  return { ...none, exactnessMissing: 0, belowStart: 0, reasons: {} };
}

class Oracle {
  readonly #stage: OracleStage;
  readonly report: OracleReport;
  #asked = 0;

  constructor(stage: OracleStage) {
    this.#stage = stage;
    this.report = { kinds: {}, underLoad: noAnswers(), breaches: [], seconds: 0 };
  }

  /** Every third one where something is missing in the log, the others anywhere in it. */
  questions(kind: Kind, count: number): Question[] {
    const { mesh, random } = this.#stage;
    const pairs = mesh.names.flatMap((from) =>
      mesh.names.flatMap((to) => (from === to ? [] : [{ from, to }])),
    );
    const holes = new Map<string, number[]>();
    const born = this.#stage.of(kind);
    return Array.from({ length: count }, (_, index) => {
      const { from, to } = pairs[index % pairs.length]!;
      const one = born[Math.floor(index / pairs.length) % born.length]!;
      const { start, end } = one.lineage.log(from);
      const name = `${from}/${one.lineage.nameAt(from)}/${one.lineage.partition}`;
      const near = holes.get(name) ?? one.lineage.holes(from);
      holes.set(name, near);
      const isNear = index % 3 === 0 && near.length > 0;
      // Groups that retention has overtaken ask too.
      const first = random.chance(0.5) ? start : 0;
      const wanted = isNear ? random.pick(near) + random.int(-3, 1) : random.int(first, end);
      return { born: one, from, to, offset: Math.min(end, Math.max(0, wanted)) };
    });
  }

  /** In the order of the questions. The agents of all sites are asked in turn. */
  async ask(questions: readonly Question[]): Promise<(Answer | undefined)[]> {
    const answers: (Answer | undefined)[] = [];
    const byPair = new Map<string, number[]>();
    questions.forEach(({ from, to }, at) => {
      const pair = `${from}->${to}`;
      byPair.set(pair, [...(byPair.get(pair) ?? []), at]);
    });
    for (const all of byPair.values()) {
      for (let first = 0; first < all.length; first += positionsPerCall) {
        const some = all.slice(first, first + positionsPerCall);
        const found = await this.#askSome(some.map((at) => questions[at]!));
        some.forEach((at, index) => (answers[at] = found[index]));
      }
    }
    return answers;
  }

  async #askSome(questions: readonly Question[]): Promise<Answer[]> {
    const { mesh } = this.#stage;
    const [{ from, to } = { from: '', to: '' }] = questions;
    this.#asked += 1;
    const asked = mesh.names[this.#asked % mesh.names.length] ?? '';
    const positions = questions.map(({ born: { lineage }, offset }) => ({
      topic: lineage.nameAt(from),
      partition: lineage.partition,
      offset: BigInt(offset),
    }));
    const request = { group: 'oracle', from: siteName(from), to: siteName(to), positions };
    const answer = await mesh.client(asked).translate(request);
    return answer.positions.map(({ target, certainty, reason }, index) => {
      const question = questions[index]!;
      const name = question.born.lineage.nameAt(to);
      if (target.topic !== name) throw new Error(`${name} was called ${target.topic}`);
      const offset = target.offset === undefined ? undefined : Number(target.offset);
      return { offset, certainty, reason };
    });
  }

  judge(questions: readonly Question[], answers: readonly (Answer | undefined)[]): void {
    questions.forEach((question, at) => {
      const { kind } = question.born;
      const tally = (this.report.kinds[kind] ??= noAnswers());
      this.#count(tally, question, answers[at], isExactDue(question));
    });
  }

  /** Asked while nothing stood still: logs have grown since. */
  judgeUnderLoad(questions: readonly Question[], answers: readonly (Answer | undefined)[]): void {
    questions.forEach((question, at) => {
      this.#count(this.report.underLoad, question, answers[at], false);
    });
  }

  #count(tally: KindReport, question: Question, answer: Answer | undefined, isDue: boolean): void {
    const { born, from, to, offset } = question;
    const { lineage } = born;
    tally.asked += 1;
    if (answer?.offset === undefined) {
      tally.unknown += 1;
      if (isDue) this.#breach(tally, 'exactnessMissing', question, answer);
      return;
    }
    const { certainty, reason } = answer;
    const { isAhead, isVery } = lineage.judge(from, to, offset, answer.offset);
    tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1;
    if (certainty === 'exact') tally.exact += 1;
    else tally.lowerBound += 1;
    if (isAhead) this.#breach(tally, 'ahead', question, answer);
    else if (certainty === 'exact' && !isVery) this.#breach(tally, 'notExact', question, answer);
    if (certainty !== 'exact' && isDue) this.#breach(tally, 'exactnessMissing', question, answer);
    const { start } = lineage.log(to);
    if (answer.offset < start) this.#breach(tally, 'belowStart', question, answer);
  }

  #breach(
    tally: KindReport,
    what: 'ahead' | 'notExact' | 'exactnessMissing' | 'belowStart',
    { born: { lineage }, from, to, offset }: Question,
    answer: Answer | undefined,
  ): void {
    tally[what] += 1;
    if (this.report.breaches.length >= breachesShown) return;
    const { readUpTo, next, id } = lineage.truth(from, to, offset);
    const asked = `${from}/${lineage.nameAt(from)}/${lineage.partition}@${offset}`;
    const told = `${answer?.offset ?? '-'} ${answer?.certainty ?? ''} ${answer?.reason ?? ''}`;
    const truth = `the truth is (${readUpTo}, ${next}], record ${id ?? 'to come'}`;
    this.report.breaches.push(`${what}: ${asked} at ${to}: ${told}; ${truth}`);
  }
}

/** What the answer would have to be told by is still there. */
function isExactDue({ born: { kind, lineage }, from, to, offset }: Question): boolean {
  if (kind !== 'trimmed' && kind !== 'recreated') return true;
  const id = lineage.recordAt(from, offset);
  if (id === undefined) return kind === 'trimmed';
  const sites = kind === 'trimmed' ? [from, to] : [from, to, lineage.origin];
  return sites.every((site) => lineage.isHeld(site, id));
}

/** Questions near the ends of growing logs, now and then. */
async function askUnderLoad(
  oracle: Oracle,
  stage: OracleStage,
  signal: AbortSignal,
): Promise<[Question[], (Answer | undefined)[]]> {
  const asked: [Question[], (Answer | undefined)[]] = [[], []];
  const { mesh, random } = stage;
  while (!signal.aborted) {
    await sleep(random.int(20, 200));
    const [from = '', to = ''] = mesh.names
      .map((name) => [random.next(), name] as const)
      .sort(([one], [other]) => one - other)
      .map(([, name]) => name);
    const born = random.pick(stage.of('killed'));
    const at = { topic: born.lineage.nameAt(from), partition: born.lineage.partition };
    const [end] = await mesh
      .cluster(from)
      .listOffsets([at], 'latest')
      .catch(() => []);
    if (end?.errorCode !== 0) continue;
    const questions = Array.from({ length: 20 }, (_, index) => {
      const back = index < 15 ? random.int(0, 300) : random.int(0, Number(end.offset));
      return { born, from, to, offset: Math.max(0, Number(end.offset) - back) };
    });
    // The one that was asked may be dead.
    const answers = await oracle.ask(questions).catch(() => []);
    if (answers.length === 0) continue;
    asked[0].push(...questions);
    asked[1].push(...answers);
  }
  return asked;
}

async function killUnderLoad(stage: OracleStage, rounds: number, say: Say): Promise<void> {
  const { mesh, random } = stage;
  for (let round = 1; round <= rounds; round += 1) {
    say(`all agents are killed under load, ${round} of ${rounds}`);
    const kills = mesh.names.map(async (site) => {
      await sleep(random.int(0, 2_000));
      await mesh.agent(site).kill();
      await mesh.startAgents([site]);
    });
    await Promise.all(kills);
    await until(
      'all partitions to be copied again',
      async () => {
        const flows = await mesh.flows().catch(() => []);
        const all = flows.flatMap((flow) => flow.partitions);
        return all.length > 0 && all.every(({ state }) => state === 'copying');
      },
      90_000,
    );
  }
}

type Say = (text: string) => void;

export async function consultOracle(options: OracleOptions, say: Say): Promise<OracleReport> {
  const startedMs = performance.now();
  const timed: Say = (text) => {
    say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${text}`);
  };
  const dir = mkdtempSync(path.join(tmpdir(), 'causeway-oracle-'));
  const found = await consultIn(dir, options, timed);
  const report = { ...found, seconds: Math.round((performance.now() - startedMs) / 1000) };
  if (isTrue(report)) rmSync(dir, { recursive: true, force: true });
  else say(`logs are in ${dir}`);
  return report;
}

async function consultIn(dir: string, options: OracleOptions, say: Say): Promise<OracleReport> {
  const sites = allSites.slice(0, options.sites).map((site) => ({ ...site, extraConfig }));
  const topics = `[${options.kinds.join(', ')}]`;
  const more = [`defaults: {topics: {include: ${topics}}, onSourceReset: continue}`];
  await using mesh = await OwnMesh.open({ dir, sites, more, onProgress: say });
  const stage = new OracleStage(mesh, options);
  const oracle = new Oracle(stage);
  await stage.begin();
  await mesh.startAgents();
  say('agents run; first half is written');
  await stage.write();
  const underLoad = await loadAndKill(oracle, stage, options.kills, say);
  say('crossing');
  await stage.crossed();
  say('reading all logs');
  await stage.observe();
  say('cleaning, cutting, making anew');
  await stage.disturb();
  say('crossing');
  await stage.crossed();
  say('reading all logs');
  await stage.observe();
  say('asking');
  oracle.judgeUnderLoad(...underLoad);
  for (const kind of options.kinds) {
    const questions = oracle.questions(kind, options.positions);
    oracle.judge(questions, await settled(oracle, questions));
  }
  say('closing');
  return oracle.report;
}

async function loadAndKill(
  oracle: Oracle,
  stage: OracleStage,
  kills: number,
  say: Say,
): Promise<[Question[], (Answer | undefined)[]]> {
  if (!stage.has('killed')) return [[], []];
  const stop = new AbortController();
  const loading = stage.load(stop.signal);
  const asking = askUnderLoad(oracle, stage, stop.signal);
  await killUnderLoad(stage, kills, say);
  stop.abort();
  await loading;
  return asking;
}

/** Agents of other sites are told of a map a moment later. */
async function settled(
  oracle: Oracle,
  questions: readonly Question[],
): Promise<(Answer | undefined)[]> {
  let answers: (Answer | undefined)[] = [];
  const isSettled = async (): Promise<boolean> => {
    answers = await oracle.ask(questions);
    return answers.every((answer, at) => {
      return answer?.certainty === 'exact' || !isExactDue(questions[at]!);
    });
  };
  // What does not settle is found by whoever judges.
  await until('maps to be told', isSettled, 15_000).catch(() => undefined);
  return answers;
}

export function isTrue({ kinds: all, underLoad, breaches }: OracleReport): boolean {
  const sum = (one: KindReport): number =>
    one.ahead + one.notExact + one.exactnessMissing + one.belowStart;
  const wrong = [...Object.values(all), underLoad].reduce((total, one) => total + sum(one), 0);
  return wrong === 0 && breaches.length === 0;
}

function kindsOf(text: string): readonly Kind[] {
  const wanted = text.split(',');
  const unknown = wanted.filter((one) => !kinds.some((kind) => kind === one));
  if (unknown.length === 0) return kinds.filter((kind) => wanted.includes(kind));
  throw new InvalidArgumentError(`Found ${unknown.join()}, wanted some of ${kinds.join()}.`);
}

if (process.argv[1]?.endsWith('oracle.ts') === true) {
  const about = 'Ask for translations between all pairs of sites, and hold each against both logs.';
  const given = script('oracle', about)
    .option('--positions <n>', 'of each kind', count, 10_000)
    .option('--kinds <kinds>', 'of logs, with commas', kindsOf, kinds)
    .option('--seed <n>', 'of what is random', count, 1)
    .option('--sites <n>', 'of the mesh', count, 3)
    .option('--records <n>', 'of each log', count, 10_000)
    .option('--kills <n>', 'of agents', count, 3)
    .parse();
  const report = await consultOracle(given.opts<OracleOptions>(), say);
  process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
  process.exit(isTrue(report) ? 0 : 1);
}
