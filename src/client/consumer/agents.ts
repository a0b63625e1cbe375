/**
 * All agents that a consumer knows: each is asked where the group is at home and tells as that
 * changes. Of what they say the home with the highest epoch counts. An agent that goes silent is
 * asked again and again, by a new connection each time.
 */
import type { Clock } from '../../base/clock.ts';
import { errorMessage, isMeshError, MeshError, toError } from '../../base/errors.ts';
import { Backoff } from '../../base/retry.ts';
import type { GroupHome } from '../../groups/answer.ts';
import type { HomeView } from '../../groups/watch-home.ts';
import { parseTopology } from '../../topology/parse.ts';
import { openAgentClient, type AgentClient } from '../agent-client.ts';
import type { ConsumerLog } from './events.ts';
import type { ConsumerSite } from './options.ts';

export interface AgentsOptions {
  readonly group: string;
  readonly sites: Readonly<Record<string, ConsumerSite>>;
  /** Sites named besides, whose copies are read. */
  readonly origins: readonly string[];
  readonly onChange: () => void;
}

export interface AgentsDeps {
  readonly clock: Clock;
  readonly log: ConsumerLog;
}

interface Agent {
  readonly site: string;
  readonly address: string;
  view: HomeView | undefined;
  /** While it answers. */
  client: AgentClient | undefined;
  silentSinceMs: number;
  isTold: boolean;
}

const connectMs = 3_000;
const callMs = 10_000;
/** An agent that went silent in a switchover may yet be carrying it out. */
const leavingHeldMs = 10_000;

export class Agents {
  readonly #options: AgentsOptions;
  readonly #deps: AgentsDeps;
  readonly #agents: readonly Agent[];
  readonly #startedMs: number;
  #problem: MeshError | undefined;
  #learnt: GroupHome | undefined;

  constructor(options: AgentsOptions, deps: AgentsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#startedMs = deps.clock.monotonicMs();
    this.#agents = Object.entries(options.sites).flatMap(([site, { agents = [] }]) =>
      agents.map((address) => {
        const silentSinceMs = this.#startedMs;
        return { site, address, view: undefined, client: undefined, silentSinceMs, isTold: false };
      }),
    );
  }

  /** What makes it pointless to go on: a site that the mesh does not have. */
  get problem(): MeshError | undefined {
    return this.#problem;
  }

  /** The home with the highest epoch, of one epoch that of the site whose name comes first. */
  view(): Omit<HomeView, 'group'> | undefined {
    const told = this.#agents.flatMap(({ view }) => view ?? []);
    const answering = this.#agents.flatMap(({ view, client }) => (client && view) ?? []);
    const mode = (answering[0] ?? told[0])?.mode;
    if (mode === undefined) return undefined;
    const [home] = [...told.map((view) => view.home), this.#learnt]
      .flatMap((one) => one ?? [])
      .sort((a, b) => b.epoch - a.epoch || (a.site < b.site ? -1 : 1));
    const nowMs = this.#deps.clock.monotonicMs();
    const leaving = this.#agents.find(({ view, client, silentSinceMs }) => {
      const isFresh = client !== undefined || nowMs - silentSinceMs < leavingHeldMs;
      return isFresh && view?.leaving !== undefined && view.leaving.from === home?.site;
    });
    return { mode, home, leaving: leaving?.view?.leaving };
  }

  /** A home that an agent has answered with; the streams will tell it too. */
  learn(home: GroupHome): void {
    this.#learnt = home;
  }

  /**
   * For how long no agent has answered; 0 while one does.
   * @param but of other sites than that one
   */
  silentMs(but?: string): number {
    const asked = this.#agents.filter(({ site }) => site !== but);
    if (asked.some(({ client }) => client !== undefined)) return 0;
    const since = asked.map(({ silentSinceMs }) => silentSinceMs);
    return this.#deps.clock.monotonicMs() - Math.max(this.#startedMs, ...since);
  }

  answersAt(site: string): boolean {
    return this.#agents.some((agent) => agent.site === site && agent.client !== undefined);
  }

  /**
   * Asks the agents of one site, one after the other, until one answers.
   * @throws MeshError peer_unavailable when none does; what an agent answers as an error
   */
  async ask<T>(site: string, question: (agent: AgentClient) => Promise<T>): Promise<T> {
    const failures: string[] = [];
    for (const { client } of this.#agents.filter((agent) => agent.site === site)) {
      if (client === undefined) continue;
      try {
        return await question(client);
      } catch (error) {
        if (!isMeshError(error) || !error.retriable) throw error;
        failures.push(error.message);
      }
    }
    const why = failures.length === 0 ? '' : `: ${failures.join('; ')}`;
    throw new MeshError('peer_unavailable', `no agent of ${site} answered${why}`);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#agents.map((agent) => this.#follow(agent, signal)));
  }

  async #follow(agent: Agent, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    const backoff = new Backoff({ delayMsMin: 200, delayMsMax: 3_000 }, clock);
    while (!signal.aborted) {
      try {
        await this.#listen(agent, signal, () => backoff.reset());
      } catch (error) {
        if (!isMeshError(error)) throw error;
        const { site, address } = agent;
        const level = agent.isTold ? 'debug' : 'warn';
        agent.isTold = true;
        log[level]({ site, address, why: errorMessage(error) }, 'agent does not answer');
      }
      if (agent.client !== undefined) {
        agent.client = undefined;
        agent.silentSinceMs = clock.monotonicMs();
        this.#options.onChange();
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  }

  async #listen(agent: Agent, signal: AbortSignal, onAnswer: () => void): Promise<void> {
    const { group } = this.#options;
    const options = { address: agent.address, timeoutMs: callMs };
    await using client = openAgentClient(options, this.#deps);
    await client.waitForReady(connectMs);
    this.#compare((await client.topology(signal)).source);
    for await (const view of client.watchHome(group, signal)) {
      agent.client = client;
      agent.view = view;
      agent.isTold = false;
      onAnswer();
      this.#options.onChange();
    }
    if (!signal.aborted) {
      throw new MeshError('peer_unavailable', `${agent.address} has ended the stream`);
    }
  }

  /** The names of sites decide where it runs and which topics are copies. */
  #compare(source: string): void {
    const named = Object.keys(this.#options.sites);
    try {
      const { mesh, sites } = parseTopology(source, 'topology of the mesh');
      const declared = [...sites.keys()].map(String);
      const unknown = named.find((name) => !declared.includes(name));
      if (unknown !== undefined) {
        const known = declared.join(', ');
        const text = `no site ${unknown} in mesh ${mesh}; declared are ${known}`;
        this.#problem = new MeshError('site_unknown', text);
      }
      const unread = declared.filter(
        (name) => ![...named, ...this.#options.origins].includes(name),
      );
      if (unread.length > 0) {
        this.#deps.log.debug({ sites: unread }, 'sites not named: copies of theirs are not read');
      }
    } catch (error) {
      // A newer agent may know more of topologies than we do.
      this.#deps.log.debug({ why: toError(error).message }, 'topology not understood');
    }
  }
}
