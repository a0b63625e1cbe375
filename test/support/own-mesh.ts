/**
 * A mesh with clusters of its own: every site a real Kafka and a real agent, whose processes may be
 * killed together as a datacenter dies. Nothing outlives the process that opened it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Scope } from '../../src/base/scope.ts';
import { openAgentClient, type AgentClient } from '../../src/client/agent-client.ts';
import type { StatusJson } from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox, type SiteRequest } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox, SandboxSite } from '../../src/sandbox/sandbox.ts';
import { AgentProcess } from './agent-process.ts';
import { testDeps } from './deps.ts';
import { until } from './until.ts';

export interface OwnMeshOptions {
  readonly dir: string;
  readonly sites: readonly SiteRequest[];
  /** More lines of the topology file, such as `defaults: {...}`. */
  readonly more: readonly string[];
  readonly onProgress?: (text: string) => void;
}

export class OwnMesh implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly #scope: Scope;
  readonly #members = new Map<string, Member>();

  private constructor(sandbox: Sandbox, scope: Scope) {
    this.sandbox = sandbox;
    this.#scope = scope;
  }

  /** The clusters run; agents are started by whoever wants them. */
  static open(options: OwnMeshOptions): Promise<OwnMesh> {
    const { dir, sites, more, onProgress = () => undefined } = options;
    return Scope.build(async (scope) => {
      const sandbox = await openSandbox({ dir, sites, isTied: true, onProgress }, testDeps());
      scope.defer(() => sandbox.down());
      const file = sandbox.meshFile;
      writeFileSync(file, `${readFileSync(file, 'utf8')}${more.join('\n')}\n`);
      const mesh = new OwnMesh(sandbox, scope);
      for (const site of sandbox.sites) {
        const { name, brokers } = site;
        const settings = { name, brokers, clientId: 'own-mesh' };
        const cluster = scope.own(await openCluster(settings, testDeps()));
        const agent = scope.own(new AgentProcess({ site: name, topologyFile: file, logDir: dir }));
        const address = { address: agent.grpc, timeoutMs: 60_000 };
        const client = scope.own(openAgentClient(address, testDeps()));
        mesh.#members.set(name, { site, cluster, agent, client });
      }
      return mesh;
    });
  }

  get names(): string[] {
    return [...this.#members.keys()];
  }

  get file(): string {
    return this.sandbox.meshFile;
  }

  cluster(name: string): KafkaCluster {
    return this.#member(name).cluster;
  }

  brokers(name: string): string[] {
    return this.#member(name).site.brokers;
  }

  agent(name: string): AgentProcess {
    return this.#member(name).agent;
  }

  client(name: string): AgentClient {
    return this.#member(name).client;
  }

  async startAgents(names: readonly string[] = this.names): Promise<void> {
    const agents = names.map((name) => this.agent(name));
    for (const agent of agents) agent.launch();
    await Promise.all(agents.map((agent) => agent.ready()));
  }

  /** `kill -9` to all that runs there. */
  async killSite(name: string): Promise<void> {
    const { site, agent } = this.#member(name);
    await Promise.all([site.kill(), agent.kill()]);
  }

  /** What was killed runs again, with its data. */
  async restartSite(name: string): Promise<void> {
    const { site, agent } = this.#member(name);
    await site.start();
    agent.launch();
    await agent.ready();
  }

  /** What all agents say of their flows. */
  async flows(): Promise<StatusJson['agents'][number]['flows']> {
    const answers = this.names.map(async (name) => {
      const { text } = await this.agent(name).get('/v1/status', 10_000);
      // The agent's own contract.
      return (JSON.parse(text) as StatusJson['agents'][number]).flows;
    });
    return (await Promise.all(answers)).flat();
  }

  /** Waits until all that stands in logs that are born somewhere is at every other site. */
  async crossed(logs: readonly BornAt[], timeoutMs = 120_000): Promise<void> {
    const ends = new Map<string, bigint>();
    for (const { site, topic, partition } of logs) {
      const [end] = await this.cluster(site).listOffsets([{ topic, partition }], 'latest');
      if (end?.errorCode !== 0) throw new Error(`${topic}/${partition} at ${site} has no end`);
      ends.set(`${site}/${topic}/${partition}`, end.offset);
    }
    let left: string[] = [];
    const look = async (): Promise<boolean> => {
      const copies = (await this.flows()).flatMap(({ flow, partitions }) =>
        partitions.map((one) => {
          const log = `${flow.split('->')[0] ?? ''}/${one.topic}/${one.partition}`;
          return { log, position: BigInt(one.position ?? -1), words: `${one.state} ${one.why}` };
        }),
      );
      left = [...ends].flatMap(([log, end]) => {
        const own = copies.filter((one) => one.log === log);
        const done = own.filter(({ position }) => position >= end);
        if (done.length === this.names.length - 1) return [];
        const states = own.map(({ position, words }) => `${position} ${words}`);
        return [`${log} to ${end}: ${states.join(', ')}`];
      });
      return left.length === 0;
    };
    await until('everything to cross', () => look().catch(() => false), timeoutMs).catch(
      (cause: unknown) => {
        throw new Error(`not crossed: ${left.slice(0, 5).join('; ')}`, { cause });
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  #member(name: string): Member {
    const found = this.#members.get(name);
    if (found !== undefined) return found;
    throw new Error(`no site ${name}; there are ${this.names.join(', ')}`);
  }
}

export interface BornAt {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
}

interface Member {
  readonly site: SandboxSite;
  readonly cluster: KafkaCluster;
  readonly agent: AgentProcess;
  readonly client: AgentClient;
}
