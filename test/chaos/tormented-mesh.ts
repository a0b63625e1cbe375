/**
 * Two sites, a topic under load at one of them and agents at the other, for whatever torment; and
 * what every torment ends with: both logs read in full, nothing lost, nothing twice, order kept,
 * translations that are the very record.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Scope } from '../../src/base/scope.ts';
import type { AgentStatusJson } from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox, SandboxSite } from '../../src/sandbox/sandbox.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { testDeps } from '../support/deps.ts';
import type { Seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';
import {
  compareColumns,
  readBoth,
  type Carried,
  type Compared,
  type CopiedLog,
} from './copied-log.ts';

export const topic = 'orders';
export const remoteTopic = `east.${topic}`;
const translationsChecked = 200;
const settleMsMax = 90_000;
const crossMsMax = 180_000;

export type Say = (text: string) => void;

export interface MeshOptions {
  readonly brokers: 1 | 3;
  readonly partitions: number;
  readonly agents: number;
  readonly extraConfig?: Readonly<Record<string, string>>;
  /** `both`: as `setLane` says, from one life of an agent to the next. */
  readonly lane?: Carried;
  readonly say: Say;
}

export interface Reading {
  readonly produced: number;
  readonly copied: number;
  readonly lost: number;
  readonly twice: number;
  readonly outOfOrder: number;
  readonly translations: number;
  readonly translationsWrong: number;
}

export function isClean(reading: Reading): boolean {
  const { produced, copied, lost, twice, outOfOrder, translationsWrong } = reading;
  return copied === produced && lost + twice + outOfOrder + translationsWrong === 0;
}

export type Partitions = AgentStatusJson['flows'][number]['partitions'];

export class TormentedMesh implements AsyncDisposable {
  readonly dir: string;
  readonly sandbox: Sandbox;
  readonly east: KafkaCluster;
  readonly west: KafkaCluster;
  readonly #options: MeshOptions;
  /** The topology file as the sandbox wrote it. */
  readonly #file: string;
  readonly #scope: Scope;

  private constructor(
    dir: string,
    parts: { sandbox: Sandbox; east: KafkaCluster; west: KafkaCluster },
    options: MeshOptions,
    scope: Scope,
  ) {
    this.dir = dir;
    this.sandbox = parts.sandbox;
    this.east = parts.east;
    this.west = parts.west;
    this.#options = options;
    this.#file = readFileSync(parts.sandbox.meshFile, 'utf8');
    this.#scope = scope;
  }

  static open(options: MeshOptions): Promise<TormentedMesh> {
    const { brokers, agents, extraConfig = {}, say } = options;
    const dir = mkdtempSync(path.join(tmpdir(), 'causeway-torment-'));
    return Scope.build(async (scope) => {
      const sites = [
        { name: 'east', kafkaVersion: '3.9.2', brokers, extraConfig },
        { name: 'west', kafkaVersion: '4.3.0', brokers, extraConfig },
      ];
      const sandbox = scope.own(
        await openSandbox(
          { dir, sites, agentsPerSite: agents, isTied: true, onProgress: say },
          testDeps(),
        ),
      );
      const east = scope.own(await open(sandbox.site('east')));
      const west = scope.own(await open(sandbox.site('west')));
      const made = new TormentedMesh(dir, { sandbox, east, west }, options, scope);
      made.setLane(0);
      await made.makeTopic(east);
      return made;
    });
  }

  get partitions(): number[] {
    return Array.from({ length: this.#options.partitions }, (_, partition) => partition);
  }

  /** Before each life of an agent, with its number: as it then finds it in the topology. */
  setLane(life: number): void {
    const { lane: carried = 'stamp' } = this.#options;
    const lane = carried === 'both' ? (['stamp', 'pass'] as const)[life % 2] : carried;
    const versioned = this.#file.replace(/^version: .*$/m, `version: ${life + 1}`);
    const text = `${versioned}defaults: {topics: {include: [${topic}]}, lane: ${lane}}\n`;
    writeFileSync(this.sandbox.meshFile, text);
  }

  async makeTopic(cluster: KafkaCluster): Promise<void> {
    const { partitions, brokers } = this.#options;
    // Records may be years old, and are to be there in the end.
    const configs = { 'retention.ms': '-1' };
    const wanted = { name: topic, partitions, replicationFactor: brokers, configs };
    await until('the topic to be made', async () => {
      const [made] = await cluster.createTopics([wanted]);
      // Under the same name as one that is still being deleted.
      if (made?.errorCode !== 0 && made?.errorCode !== 36) throw new Error(made?.errorMessage);
      return made.errorCode === 0;
    });
    await until('the topic', async () => {
      const found = (await cluster.metadata()).topics.get(topic)?.partitions ?? [];
      return found.length === partitions && found.every(({ leader }) => leader >= 0);
    });
  }

  startAgent(agent = 1): Promise<AgentProcess> {
    const { meshFile: topologyFile } = this.sandbox;
    return startAgent({ site: 'west', topologyFile, agent, logDir: this.dir });
  }

  /** The slots of an agent that was killed are free again when its session has run out. */
  async copying(agent: AgentProcess): Promise<void> {
    await this.untilPartitions(agent, 'copy all partitions', (found) =>
      found.every(({ state }) => state === 'copying'),
    );
  }

  /** Everything that the source holds now is copied. */
  async caughtUp(agent: AgentProcess, withinMs = settleMsMax): Promise<void> {
    const ends = await this.#ends(this.east, topic);
    await this.untilPartitions(
      agent,
      `have copied up to ${ends.join()}`,
      (found) =>
        found.every(({ partition, position }) => Number(position ?? -1) >= (ends[partition] ?? 0)),
      withinMs,
    );
  }

  /** What the agent says of each partition, once that is as it should be. */
  async untilPartitions(
    agent: AgentProcess,
    what: string,
    isGood: (found: Partitions) => boolean,
    withinMs = settleMsMax,
  ): Promise<Partitions> {
    let seen: Partitions = [];
    const probe = async (): Promise<Partitions | false> => {
      const answer = await agent.get('/v1/status').catch(() => undefined);
      // The agent's own contract.
      const status = JSON.parse(answer?.text ?? '{}') as Partial<AgentStatusJson>;
      seen = (status.flows?.[0]?.partitions ?? []).filter(({ partition }) => partition >= 0);
      return seen.length === this.#options.partitions && isGood(seen) && seen;
    };
    return until(`the agent to ${what}`, probe, withinMs).catch((error: unknown) => {
      const found = seen.map(
        ({ partition, state, position, why }) => `${partition} ${state} ${position} ${why}`,
      );
      const lines = [String(error), ...found, agent.logTail()];
      throw new Error(lines.join('\n'), { cause: error });
    });
  }

  /** Once the load has stopped: waits for the rest to cross, then reads everything. */
  async read(agent: AgentProcess, seeded: Seeded): Promise<Reading> {
    await this.caughtUp(agent, crossMsMax);
    const logs = await until(
      'everything to cross',
      async () => {
        const found: CopiedLog[] = [];
        for (const partition of this.partitions) {
          const { lane = 'stamp' } = this.#options;
          const log = await readBoth(this.east, this.west, { topic, partition }, lane);
          if (log.copied.offsets.length < log.born.offsets.length) return undefined;
          found.push(log);
        }
        return found;
      },
      crossMsMax,
    );
    const compared = logs.map(compareColumns);
    const sum = (key: keyof Compared): number =>
      compared.reduce((total, one) => total + one[key], 0);
    const count = (which: keyof CopiedLog): number =>
      logs.reduce((total, log) => total + log[which].offsets.length, 0);
    // The map is stored and told within a moment of the last acknowledgement.
    await sleep(1_000);
    return {
      produced: count('born'),
      copied: count('copied'),
      lost: sum('lost'),
      twice: sum('twice'),
      outOfOrder: sum('outOfOrder'),
      translations: translationsChecked,
      translationsWrong: await checkTranslations(agent, logs, seeded),
    };
  }

  /** Stops everything; the folder with its logs stays unless it is not needed any more. */
  async close(isFolderKept: boolean): Promise<void> {
    await this[Symbol.asyncDispose]();
    if (isFolderKept) this.#options.say(`logs are in ${this.dir}`);
    else rmSync(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope[Symbol.asyncDispose]();
  }

  async #ends(cluster: KafkaCluster, name: string): Promise<number[]> {
    return until(`the ends of ${name}`, async () => {
      const at = this.partitions.map((partition) => ({ topic: name, partition }));
      const listed = await cluster.listOffsets(at, 'latest').catch(() => []);
      const isWhole = listed.length > 0 && listed.every(({ errorCode }) => errorCode === 0);
      const ends: number[] = [];
      for (const { partition, offset } of listed) ends[partition] = Number(offset);
      return isWhole && ends;
    });
  }
}

/** Gives a broker that does not answer up soon: others can. */
function open({ name, brokers }: SandboxSite): Promise<KafkaCluster> {
  const settings = { name, brokers, clientId: 'torment', requestTimeoutMs: 6_000 };
  return openCluster(settings, testDeps());
}

/** Random positions, there and back, against the logs themselves. */
async function checkTranslations(
  agent: AgentProcess,
  logs: readonly CopiedLog[],
  seeded: Seeded,
): Promise<number> {
  let wrong = 0;
  for (let count = 0; count < translationsChecked; count += 1) {
    const partition = seeded.int(0, logs.length - 1);
    const log = logs[partition];
    if (log === undefined) continue;
    const isForward = count % 2 === 0;
    const from = isForward ? log.born : log.copied;
    const at = seeded.int(0, from.offsets.length - 1);
    const offset = from.offsets[at] ?? -1;
    const wanted = isForward
      ? log.copied.offsets[log.copied.origins.indexOf(offset)]
      : from.origins[at];
    const name = isForward ? topic : remoteTopic;
    const [source, target] = isForward ? ['east', 'west'] : ['west', 'east'];
    const query = new URLSearchParams({ group: 'any', from: source, to: target });
    query.append('position', `${name}/${partition}@${offset}`);
    const { text } = await agent.get(`/v1/translate?${query.toString()}`);
    const answer = JSON.parse(text) as {
      positions?: { target: { offset?: string }; certainty: string }[];
    };
    const found = answer.positions?.[0];
    if (found?.certainty !== 'exact' || Number(found.target.offset) !== wanted) wrong += 1;
  }
  return wrong;
}
