/**
 * The agents of the other sites: a connection to each, over which their topology, positions and
 * offset maps are pulled, and by which we know whether they live.
 */
import { isAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import { Backoff } from '../base/retry.ts';
import { openAgentClient, type AgentClient } from '../client/agent-client.ts';
import type { MapUpdate, PeerView, TopologyView } from '../client/agent-shapes.ts';
import type { GroupUpdate } from '../groups/updates.ts';
import type { Topology } from '../topology/model.ts';

export interface PeerListener {
  onTopology(view: TopologyView, peer: string): Promise<void>;
  onGroupUpdates(site: SiteName, updates: readonly GroupUpdate[]): Promise<void>;
  onMapUpdates(updates: readonly MapUpdate[]): Promise<void>;
}

const silentAfterMs = 10_000;
const beatMs = 2_000;

interface Address {
  readonly site: SiteName;
  readonly agent: string;
  readonly grpc: string;
}

class Peer {
  readonly address: Address;
  readonly stop = new AbortController();
  state: PeerView['state'] = 'connecting';
  why = '';
  lastContactMs: number | undefined;
  silentSinceMs: number | undefined;
  topologyVersion: number | undefined;
  done: Promise<void> = Promise.resolve();

  constructor(address: Address, nowMs: number) {
    this.address = address;
    this.silentSinceMs = nowMs;
  }
}

export class Peers {
  readonly #own: { readonly mesh: string; readonly site: SiteName };
  readonly #listener: PeerListener;
  readonly #deps: Deps;
  readonly #peers = new Map<string, Peer>();

  constructor(own: { mesh: string; site: SiteName }, listener: PeerListener, deps: Deps) {
    this.#own = own;
    this.#listener = listener;
    this.#deps = deps;
  }

  views(): readonly PeerView[] {
    return [...this.#peers.values()].map((peer) => ({
      agent: peer.address.agent,
      grpc: peer.address.grpc,
      state: peer.state,
      lastContactMs: peer.lastContactMs,
      topologyVersion: peer.topologyVersion,
      why: peer.why,
    }));
  }

  liveness(site: SiteName): { agentsConnected: number; agentSilentSinceMs: number | undefined } {
    const peers = [...this.#peers.values()].filter((peer) => peer.address.site === site);
    const agentsConnected = peers.filter(({ state }) => state === 'connected').length;
    const silences = peers.flatMap(({ silentSinceMs }) => silentSinceMs ?? []);
    const isSilent = agentsConnected === 0 && silences.length > 0;
    return { agentsConnected, agentSilentSinceMs: isSilent ? Math.max(...silences) : undefined };
  }

  /** Connects to agents that are new in the topology, and lets go of those that are gone. */
  setTopology(topology: Topology): void {
    const wanted = new Map<string, Address>();
    for (const [site, { agents }] of topology.sites) {
      if (site === this.#own.site) continue;
      agents.forEach(({ grpc }, index) => {
        wanted.set(`${site}-${index + 1} ${grpc}`, { site, agent: `${site}-${index + 1}`, grpc });
      });
    }
    for (const [key, peer] of this.#peers) {
      if (wanted.has(key)) continue;
      peer.stop.abort();
      this.#peers.delete(key);
    }
    for (const [key, address] of wanted) {
      if (this.#peers.has(key)) continue;
      const peer = new Peer(address, this.#deps.clock.nowMs());
      this.#peers.set(key, peer);
      peer.done = this.#follow(peer);
    }
  }

  async close(): Promise<void> {
    const peers = [...this.#peers.values()];
    for (const { stop } of peers) stop.abort();
    await Promise.all(peers.map(({ done }) => done));
  }

  async #follow(peer: Peer): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = peer.stop;
    const { agent, grpc } = peer.address;
    const backoff = new Backoff({ delayMsMin: 500, delayMsMax: 5_000 }, clock);
    while (!signal.aborted) {
      // A new client each time: a connection that hangs must not be met again.
      const client = openAgentClient({ address: grpc }, this.#deps);
      try {
        await this.#session(peer, client, backoff);
      } catch (error) {
        if (isAborted(signal)) break;
        peer.why = errorMessage(error);
        peer.silentSinceMs ??= clock.nowMs();
        const isRefused = isMeshError(error, 'peer_rejected');
        const isLong = clock.nowMs() - peer.silentSinceMs > silentAfterMs;
        const wasConnected = peer.state === 'connected';
        peer.state = isRefused ? 'refused' : isLong || wasConnected ? 'silent' : 'connecting';
        const level = backoff.attempts === 0 ? 'warn' : 'debug';
        log[level]({ peer: agent, grpc, why: peer.why }, 'peer lost');
      } finally {
        await client[Symbol.asyncDispose]();
      }
      await backoff.wait(signal).catch(() => undefined);
    }
  }

  /** Until the first of the streams ends, all of them run. */
  async #session(peer: Peer, client: AgentClient, backoff: Backoff): Promise<void> {
    using stop = new LinkedAbort(peer.stop.signal);
    const { signal } = stop;
    await client.waitForReady();
    await this.#greet(peer, client, signal);
    backoff.reset();
    peer.state = 'connected';
    peer.why = '';
    peer.silentSinceMs = undefined;
    this.#deps.log.info({ peer: peer.address.agent, grpc: peer.address.grpc }, 'peer connected');
    const streams = [
      this.#topologies(peer, client, signal),
      this.#groups(peer, client, signal),
      this.#maps(client, signal),
      this.#beat(peer, client, signal),
    ];
    try {
      await Promise.race(streams);
      if (!peer.stop.signal.aborted) {
        throw new MeshError('peer_unavailable', `${peer.address.agent} ended a stream`);
      }
    } finally {
      stop.abort();
      await Promise.allSettled(streams);
    }
  }

  async #greet(peer: Peer, client: AgentClient, signal: AbortSignal): Promise<void> {
    const { identity, topologyVersion } = await client.status(signal);
    const { site, agent } = peer.address;
    if (identity.mesh !== this.#own.mesh || identity.site !== site) {
      const found = `${identity.agent} of mesh ${identity.mesh}`;
      const text = `${client.address}: found ${found}, wanted ${agent} of mesh ${this.#own.mesh}`;
      throw new MeshError('peer_rejected', text);
    }
    peer.topologyVersion = topologyVersion;
    peer.lastContactMs = this.#deps.clock.nowMs();
  }

  async #topologies(peer: Peer, client: AgentClient, signal: AbortSignal): Promise<void> {
    for await (const view of client.watchTopology(signal)) {
      peer.topologyVersion = view.version;
      await this.#listener.onTopology(view, peer.address.agent);
    }
  }

  async #groups(peer: Peer, client: AgentClient, signal: AbortSignal): Promise<void> {
    for await (const updates of client.watchGroups(signal)) {
      peer.lastContactMs = this.#deps.clock.nowMs();
      await this.#listener.onGroupUpdates(peer.address.site, updates);
    }
  }

  async #maps(client: AgentClient, signal: AbortSignal): Promise<void> {
    for await (const updates of client.watchMaps(signal))
      await this.#listener.onMapUpdates(updates);
  }

  /** Streams may be quiet for long: asks, so that silence is noticed within seconds. */
  async #beat(peer: Peer, client: AgentClient, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(beatMs, signal);
      peer.topologyVersion = (await client.topology(signal)).version;
      peer.lastContactMs = this.#deps.clock.nowMs();
    }
  }
}
