/**
 * Two sites of their own with an agent each and one topic, for consumers that are told where to go:
 * what was written, where it was born, and where the group stands.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Scope } from '../../src/base/scope.ts';
import { translateSchema, type TranslateJson } from '../../src/client/answers.ts';
import type { GroupOffset } from '../../src/kafka/cluster.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { startAgent, type AgentProcess } from './agent-process.ts';
import { kafkaVersions, type TestSite } from './clusters.ts';
import { testDeps } from './deps.ts';
import type { Handled } from './example-process.ts';
import { quickReturn } from './quick-return.ts';
import { appendRecords, makeTopic, readAll } from './topics.ts';

const partitions = [0, 1];
const deps = testDeps();

export const otherSite = { east: 'west', west: 'east' } as const;

/** The place of birth of a record that was handled: `east/orders/0@17`. */
export function bornAs({ born, topic, partition, offset }: Handled): string {
  return `${born}/${topic}/${partition}@${offset}`;
}

/** How often each record was handled, by its place of birth. */
export function counts(handled: readonly Handled[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const one of handled) found.set(bornAs(one), (found.get(bornAs(one)) ?? 0) + 1);
  return found;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset?: bigint | string | undefined;
}

/** `topic/partition@offset` of all, sorted: to be compared. */
function placesText(places: readonly Place[]): string {
  return places
    .map(({ topic, partition, offset }) => `${topic}/${partition}@${offset ?? '-'}`)
    .sort()
    .join();
}

interface Parts {
  readonly group: string;
  readonly sandbox: Sandbox;
  readonly clusters: Readonly<Record<TestSite, KafkaCluster>>;
  readonly agents: Readonly<Record<TestSite, AgentProcess>>;
}

export class ClientStage implements AsyncDisposable {
  readonly group: string;
  readonly sandbox: Sandbox;
  readonly clusters: Parts['clusters'];
  readonly agents: Parts['agents'];
  readonly #scope: Scope;
  #written = 0;

  private constructor({ group, sandbox, clusters, agents }: Parts, scope: Scope) {
    this.group = group;
    this.sandbox = sandbox;
    this.clusters = clusters;
    this.agents = agents;
    this.#scope = scope;
  }

  /** The group is declared: mode `single`, at home at east. */
  static open(group: string): Promise<ClientStage> {
    return Scope.build(async (scope) => {
      const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-client-'));
      scope.defer(() => rmSync(dir, { recursive: true }));
      const sites = (['east', 'west'] as const).map((name) => {
        return { name, kafkaVersion: kafkaVersions[name], extraConfig: quickReturn };
      });
      const context = { env: process.env, isTied: true, onProgress: () => undefined };
      scope.defer(() => findSandbox(dir, context, deps).down());
      const sandbox = await openSandbox({ dir, sites, isTied: true }, deps);
      const file = sandbox.meshFile;
      const modes = `${group}: {mode: single, home: east}`;
      writeFileSync(file, `${readFileSync(file, 'utf8')}defaults: {groups: {modes: {${modes}}}}\n`);
      const open = async (name: TestSite): Promise<KafkaCluster> => {
        const { brokers } = sandbox.site(name);
        return scope.own(await openCluster({ name, brokers, clientId: 'client-test' }, deps));
      };
      const clusters = { east: await open('east'), west: await open('west') };
      for (const cluster of Object.values(clusters)) {
        await makeTopic(cluster, 'orders', partitions.length);
      }
      const options = { topologyFile: file, logDir: dir };
      const agents = {
        east: scope.own(await startAgent({ ...options, site: 'east' })),
        west: scope.own(await startAgent({ ...options, site: 'west' })),
      };
      return new ClientStage({ group, sandbox, clusters, agents }, scope);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  /** For the examples. */
  get env(): Record<string, string> {
    return {
      EAST_BROKERS: this.sandbox.site('east').brokers.join(),
      EAST_AGENTS: this.agents.east.grpc,
      WEST_BROKERS: this.sandbox.site('west').brokers.join(),
      WEST_AGENTS: this.agents.west.grpc,
      GROUP: this.group,
    };
  }

  /** So many records into each partition. */
  async write(site: TestSite, records: number): Promise<void> {
    for (const partition of partitions) {
      const values = Array.from({ length: records }, () => {
        this.#written += 1;
        const value = Buffer.from(`order ${this.#written}`);
        return { key: null, value, timestampMs: Date.now() };
      });
      await appendRecords(this.clusters[site], 'orders', partition, values);
    }
  }

  /** Places of birth of all records, from the logs in which they were born. */
  async born(sites: readonly TestSite[] = ['east', 'west']): Promise<string[]> {
    const found: string[] = [];
    for (const site of sites) {
      for (const partition of partitions) {
        const records = await readAll(this.clusters[site], 'orders', partition);
        found.push(...records.map(({ offset }) => `${site}/orders/${partition}@${offset}`));
      }
    }
    return found.sort();
  }

  /** Of the positions at that site to the other one, by its agent there. */
  async translation(from: TestSite): Promise<TranslateJson | undefined> {
    const to = otherSite[from];
    const path = `/v1/translate?group=${this.group}&from=${from}&to=${to}`;
    const { text } = await this.agents[to].get(path);
    return translateSchema.safeParse(JSON.parse(text)).data;
  }

  /**
   * What was handled at that site is committed, all of it, and the other one knows. Behind the last
   * record may stand the marker of a takeover, which not every client commits.
   */
  async settled(site: TestSite): Promise<boolean> {
    const committed = await this.#committed(site);
    for (const topic of ['orders', `${otherSite[site]}.orders`]) {
      for (const partition of partitions) {
        const last = (await readAll(this.clusters[site], topic, partition)).at(-1)?.offset;
        const at = committed.find((one) => one.topic === topic && one.partition === partition);
        if (last !== undefined && (at?.offset ?? -1n) <= last) return false;
      }
    }
    const known = (await this.translation(site))?.positions.map(({ source }) => source) ?? [];
    return placesText(committed) === placesText(known.filter(({ offset }) => offset !== undefined));
  }

  /**
   * What agents have committed at that site is the translation of what stands at the other one. Not
   * the ends of the logs there: behind the last copy stands the marker of a takeover.
   */
  async inStep(site: TestSite): Promise<boolean> {
    const found = await this.translation(otherSite[site]);
    const targets = found?.positions.map(({ target }) => target);
    return (
      found?.verdict === 'exact' &&
      placesText(targets ?? []) === placesText(await this.#committed(site))
    );
  }

  async #committed(site: TestSite): Promise<GroupOffset[]> {
    const found = await this.clusters[site].groupOffsets(this.group);
    return found.filter(({ offset }) => offset >= 0n);
  }
}
