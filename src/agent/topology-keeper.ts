/**
 * Which topology is in force: the highest version wins, wherever it comes from (file, store,
 * peer). Two files of one version that differ are both refused: the agent keeps the last one
 * agreed on and says so, until a higher version settles it.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { LatestQueue } from '../base/latest-queue.ts';
import { Moment } from '../base/moment.ts';
import type { TopologyView } from '../client/agent-shapes.ts';
import type { StateLog } from '../kafka/state-records.ts';
import { topologyDifferences } from '../topology/diff.ts';
import type { Topology } from '../topology/model.ts';
import { parseTopology } from '../topology/parse.ts';

const key = Buffer.from('topology/1');

export class TopologyKeeper {
  readonly #site: SiteName;
  readonly #log: StateLog;
  readonly #deps: Deps;
  readonly #listeners = new Set<(topology: Topology) => void>();
  readonly #viewListeners = new Set<() => void>();
  #current: Topology;
  #conflict: TopologyView['conflict'];
  readonly #synced = new Moment();

  constructor(file: Topology, parts: { site: SiteName; log: StateLog }, deps: Deps) {
    this.#current = file;
    this.#site = parts.site;
    this.#log = parts.log;
    this.#deps = deps;
  }

  get current(): Topology {
    return this.#current;
  }

  /** Resolves when the stored copy has been looked at. */
  async synced(): Promise<void> {
    await this.#synced.come;
  }

  onTakenOver(listener: (topology: Topology) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  view(): TopologyView {
    const { version, hash, source } = this.#current;
    return { version, hash, source, conflict: this.#conflict };
  }

  /** The present one, then each change of what `view` says. */
  async *watch(signal: AbortSignal): AsyncIterable<TopologyView> {
    const queue = new LatestQueue<TopologyView>();
    const put = (): void => queue.put('topology', this.view());
    this.#viewListeners.add(put);
    try {
      put();
      while (!signal.aborted) yield* await queue.take(1, signal);
    } finally {
      this.#viewListeners.delete(put);
    }
  }

  /** Follows what agents of this site stored; stores the file's own when it is newer. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#log.follow(
      {
        onRecords: (records) => {
          for (const { value } of records) if (value !== null) this.#takeStored(value);
        },
        onSynced: () => {
          this.#synced.tell();
          void this.#store().catch((error: unknown) => {
            this.#deps.log.warn({ why: errorMessage(error) }, 'topology not stored');
          });
        },
      },
      signal,
    );
  }

  /**
   * A newer file: checked, stored and taken over. One that is older, or the same, changes
   * nothing.
   * @throws MeshError topology_invalid, topology_conflict, precondition (another mesh, our site
   * missing)
   */
  async propose(source: string, by: string): Promise<TopologyView> {
    const offered = parseTopology(source, by);
    const verdict = this.#judge(offered, by);
    if (verdict === 'conflict') {
      const { version } = offered;
      const text = `${by} has another topology of version ${version}: ${this.#conflict?.differences.join('; ') ?? ''}`;
      throw new MeshError('topology_conflict', text);
    }
    if (verdict === 'newer') {
      this.#takeOver(offered, by);
      await this.#store();
    }
    return this.view();
  }

  /** What a peer runs on: a newer one is taken over, a contradicting one is noted. */
  async hear(view: TopologyView, peer: string): Promise<void> {
    const { version, hash } = this.#current;
    if (view.version < version || (view.version === version && view.hash === hash)) {
      if (this.#conflict?.peer === peer) this.#setConflict(undefined);
      return;
    }
    try {
      await this.propose(view.source, peer);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#deps.log.warn({ peer, code: error.code, why: error.message }, 'topology refused');
    }
  }

  #judge(offered: Topology, by: string): 'newer' | 'same' | 'older' | 'conflict' {
    const { mesh, version, hash } = this.#current;
    if (offered.mesh !== mesh) {
      const text = `${by}: found mesh ${offered.mesh}, wanted ${mesh}`;
      throw new MeshError('precondition', text);
    }
    if (!offered.sites.has(this.#site)) {
      throw new MeshError(
        'precondition',
        `${by}: the site of this agent, ${this.#site}, is not in it`,
      );
    }
    if (offered.version < version) return 'older';
    if (offered.version > version) return 'newer';
    if (offered.hash === hash) return 'same';
    const differences = topologyDifferences(this.#current, offered);
    this.#setConflict({ peer: by, hash: offered.hash, differences });
    return 'conflict';
  }

  #takeStored(value: Buffer): void {
    try {
      const offered = parseTopology(value.toString('utf8'), this.#log.topic);
      if (this.#judge(offered, 'the stored copy') === 'newer')
        this.#takeOver(offered, 'the stored copy');
    } catch (error) {
      this.#deps.log.error({ topic: this.#log.topic, why: errorMessage(error) }, 'stored topology');
    }
  }

  #takeOver(topology: Topology, by: string): void {
    const differences = topologyDifferences(this.#current, topology);
    this.#current = topology;
    this.#conflict = undefined;
    const { version } = topology;
    this.#deps.log.info({ version, by, differences }, 'topology taken over');
    for (const listener of this.#listeners) listener(topology);
    for (const listener of this.#viewListeners) listener();
  }

  #setConflict(conflict: TopologyView['conflict']): void {
    const isNew = conflict?.hash !== this.#conflict?.hash;
    this.#conflict = conflict;
    if (!isNew) return;
    if (conflict !== undefined) {
      const { version } = this.#current;
      this.#deps.log.error({ version, ...conflict }, 'two topologies of one version: both refused');
    }
    for (const listener of this.#viewListeners) listener();
  }

  async #store(): Promise<void> {
    await this.#log.append([{ key, value: Buffer.from(this.#current.source) }]);
  }
}
