/**
 * All that an agent knows of and does for consumer groups, behind one door: follows positions,
 * tells peers, syncs, translates, fails over. The parts decide; this wires them and stores their
 * state.
 */
import { withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { Reached } from '../base/reached.ts';
import type { FollowedRecord, StateLog } from '../kafka/state-records.ts';
import type { Topology } from '../topology/model.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupHome,
  GroupReadiness,
  TranslateAnswer,
  TranslatedPosition,
} from './answer.ts';
import { executePlan, makePlan, type ExecuteParts, type FailoverFacts } from './failover.ts';
import type { SiteLiveness } from './group-ports.ts';
import { GroupSync } from './group-sync.ts';
import { GroupView } from './group-view.ts';
import { Ledger, type WrittenOffset } from './ledger.ts';
import { switchover, type SwitchoverParts } from './switchover.ts';
import {
  type FailoverRequest,
  type GroupUpdate,
  type SwitchoverRequest,
  type SwitchoverStep,
  type TranslateRequest,
} from './updates.ts';
import { declaredMode } from './mode.ts';
import type { CommitOrigin, PositionsSource } from './positions-source.ts';
import { PositionsStore } from './positions-store.ts';
import { SiteReaders, type ReadCluster } from './site-readers.ts';
import type { Translator } from './translator.ts';
import { watchGroups } from './watch-groups.ts';

export interface GroupServiceOptions {
  readonly site: SiteName;
  readonly topology: () => Topology;
  readonly translator: () => Translator;
  /** This site's own Kafka. */
  readonly cluster: ReadCluster;
  /** `__causeway-groups` */
  readonly log: StateLog;
  readonly liveness: (site: SiteName) => SiteLiveness;
  /** Another site's Kafka, while it can be reached. */
  readonly remoteCluster: (site: SiteName) => ReadCluster | undefined;
  readonly owns: (group: string, from: SiteName) => boolean;
}

const storeMs = 500;
const twoHomes = 'made at home at two sites in one epoch; the first by name counts';
const heardMsMax = 5_000;

export class GroupService {
  readonly #options: GroupServiceOptions;
  readonly #deps: Deps;
  readonly #store = new PositionsStore();
  readonly #ledger: Ledger;
  readonly #view: GroupView;
  readonly #readers: SiteReaders;
  readonly #sync: GroupSync;
  readonly #synced: Promise<void>;
  #markSynced: () => void = () => undefined;
  readonly #loaded = new Reached();
  /** Groups whose home has moved; looked at when all that was stored has been loaded. */
  readonly #moved = new Set<string>();

  constructor(options: GroupServiceOptions, deps: Deps) {
    const { site, cluster, log, owns } = options;
    this.#options = options;
    this.#deps = deps;
    this.#synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    const store = this.#store;
    const ledger = new Ledger(
      (records) => log.append(records),
      (group, homes) => deps.log.error({ group, homes }, twoHomes),
    );
    this.#ledger = ledger;
    const { topology, translator, liveness, remoteCluster } = options;
    const parts = { site, topology, translator, cluster, liveness, remoteCluster, store, ledger };
    const view = new GroupView({ ...parts, reader: (at) => this.#readers.reader(at) }, deps);
    this.#view = view;
    this.#readers = new SiteReaders(
      {
        ...parts,
        isFollowed: (group) => declaredMode(topology(), group).isIncluded,
        origin: (group, offset) => this.#originOf(group, offset),
        settle: () => this.#ledgerHeard(),
        otherSites: () => [...topology().sites.keys()].filter((one) => one !== site),
        isAtHome: (group, at) => (view.home(group)?.site ?? at) === at,
      },
      deps,
    );
    const homeOf = (group: string): GroupHome | undefined =>
      declaredMode(topology(), group).mode === 'single' ? view.home(group) : undefined;
    const translate = (group: string, from: SiteName): Promise<readonly TranslatedPosition[]> =>
      view.positions(view.known(group, from), from, site);
    this.#sync = new GroupSync({ site, cluster, store, ledger, homeOf, owns, translate }, deps);
  }

  /** Resolves when all that was stored at the start has been loaded. */
  async synced(): Promise<void> {
    await this.#synced;
  }

  /** The last known positions of every group at every site. */
  get positions(): PositionsStore {
    return this.#store;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const onRecords = (records: readonly FollowedRecord[]): void => this.#load(records);
    const following = log.follow({ onRecords, onSynced: () => this.#markSynced() }, signal);
    const stopListening = this.#ledger.onHome((group) => this.#moved.add(group));
    signal.addEventListener('abort', () => this.#markSynced(), { once: true });
    await Promise.all([
      following,
      this.#synced.then(() => this.#readers.run(signal)),
      this.#synced.then(() => this.#sync.run(signal)),
      this.#storeLoop(signal),
    ]);
    stopListening();
  }

  // --- what peers tell and are told

  /** Positions of a peer's own groups, and homes. */
  async takeUpdates(site: SiteName, updates: readonly GroupUpdate[]): Promise<void> {
    for (const update of updates) {
      if (update.kind === 'position' && update.position.site === site) {
        this.#store.take(update.position);
      }
      if (update.kind === 'as_of' && update.site === site) {
        this.#store.takeAsOf(site, update.asOfMs);
      }
      if (update.kind === 'home') await this.#ledger.setHome(update.group, update.home);
    }
  }

  /** This site's own positions, and all homes: as they are, `synced`, then as they change. */
  watch(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]> {
    return watchGroups(this.#options.site, this.#store, this.#ledger, signal);
  }

  // --- questions, and moving

  /** Where positions that this agent reads by itself come from. */
  sources(): readonly PositionsSource[] {
    return this.#readers.sources();
  }

  translate(request: TranslateRequest): Promise<TranslateAnswer> {
    return this.#view.translate(request);
  }

  /** How well each group that is known could go on here now. */
  readiness(): readonly GroupReadiness[] {
    return this.#view.readiness();
  }

  async planFailover(request: FailoverRequest): Promise<FailoverPlan> {
    return makePlan(await this.#facts(request)).plan;
  }

  async executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport> {
    const plan = makePlan(await this.#facts(request));
    const report = await executePlan(plan, planId, this.#executeParts(request));
    const { site: home, epoch } = report.home;
    const { group, from } = request;
    this.#deps.log.info({ group, from, home, epoch, requestedBy }, 'failover');
    return report;
  }

  /** A planned move: what is waited for, as it changes, then the report. */
  async *switchover(
    request: SwitchoverRequest,
    signal: AbortSignal,
  ): AsyncIterable<SwitchoverStep> {
    const { group, from, to, requestedBy } = request;
    const parts: SwitchoverParts = {
      clock: this.#deps.clock,
      facts: () => this.#facts(request),
      ends: (logs) => this.#view.ends(logs, from, to),
      behind: (logs) => this.#options.translator().behind(logs, from, to),
      execute: (plan) => executePlan(plan, undefined, this.#executeParts(request)),
    };
    for await (const step of switchover(request, parts, signal)) {
      if (step.kind === 'executed') {
        const { site: home, epoch } = step.report.home;
        this.#deps.log.info({ group, from, home, epoch, requestedBy }, 'switchover');
      }
      yield step;
    }
  }

  // --- inner

  /** What the group left here when its home moved away is not taken for somebody else's. */
  async #facts(request: FailoverRequest): Promise<FailoverFacts> {
    if (this.#moved.has(request.group)) await this.#leaveHome(request.group);
    return this.#view.facts(request);
  }

  #executeParts({ group, from }: FailoverRequest): ExecuteParts {
    const positions = this.#store.positions(from, group);
    return {
      cluster: this.#options.cluster,
      ledger: this.#ledger,
      nowMs: this.#deps.clock.nowMs(),
      metadata: new Map(positions.map((one) => [`${one.topic}/${one.partition}`, one.metadata])),
    };
  }

  #originOf(group: string, offset: WrittenOffset): CommitOrigin {
    const { site } = this.#options;
    if ((this.#view.home(group)?.site ?? site) === site) return 'own';
    return this.#ledger.wrote(group, offset) ? 'ours' : 'foreign';
  }

  /** Resolves when all that agents of this site had written by now is in the ledger. */
  async #ledgerHeard(): Promise<void> {
    const { cluster, log } = this.#options;
    const [listed] = await cluster.listOffsets([{ topic: log.topic, partition: 0 }], 'latest');
    const end = listed?.errorCode === 0 ? Number(listed.offset) : 0;
    await withDeadline(this.#deps.clock, heardMsMax, this.#loaded.reach(end), () => {
      return new MeshError('kafka_timeout', `${log.topic} not read to offset ${end} in time`);
    });
  }

  /**
   * The home moved away from here: what the group committed here belongs to an older epoch now, up
   * to the last commit before its members died.
   */
  async #leaveHome(group: string): Promise<void> {
    const { site, cluster } = this.#options;
    const home = this.#view.home(group);
    if (home === undefined || home.site === site) return;
    if (this.#ledger.hasLeft(group, home.epoch)) return;
    const standing = await cluster.groupOffsets(group);
    const left = standing.filter(({ offset }) => offset >= 0n);
    if (left.length > 0) await this.#ledger.noteWritten(group, left);
    this.#ledger.confirmWritten(group, left);
    await this.#ledger.noteLeft(group, home.epoch);
  }

  async #leaveHomes(): Promise<void> {
    for (const group of [...this.#moved]) {
      await this.#leaveHome(group);
      this.#moved.delete(group);
      this.#readers.review(group);
    }
  }

  #load(records: readonly FollowedRecord[]): void {
    for (const record of records) {
      try {
        if (!this.#store.load(record)) this.#ledger.load(record);
      } catch (error) {
        const { offset } = record;
        this.#deps.log.error({ offset, topic: this.#options.log.topic }, errorMessage(error));
      }
    }
    const last = records.at(-1);
    if (last !== undefined) this.#loaded.moveTo(Number(last.offset) + 1);
  }

  async #storeLoop(signal: AbortSignal): Promise<void> {
    await this.#synced;
    let isFailing = false;
    let topology = this.#options.topology();
    while (!signal.aborted) {
      await this.#deps.clock.sleep(storeMs, signal).catch(() => undefined);
      if (topology !== this.#options.topology()) this.#readers.reviewAll();
      topology = this.#options.topology();
      try {
        await this.#store.store((records) => this.#options.log.append(records));
        await this.#leaveHomes();
        isFailing = false;
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        const level = isFailing ? 'debug' : 'warn';
        isFailing = true;
        this.#deps.log[level]({ why: errorMessage(error) }, 'state of groups not stored');
      }
    }
  }
}
