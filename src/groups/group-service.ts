/**
 * All that an agent knows of and does for consumer groups, behind one door: follows positions,
 * tells peers, syncs, translates, fails over. The parts decide; this wires them and stores their
 * state.
 */
import { setMaxListeners } from 'node:events';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { Moment } from '../base/moment.ts';
import type { FollowedRecord, StateLog, StateRecord } from '../kafka/state-records.ts';
import type { MapBook } from '../offsets/map-book.ts';
import type { Topology } from '../topology/model.ts';
import type { FailoverPlan, FailoverReport, GroupReadiness, TranslateAnswer } from './answer.ts';
import type { FindOverlap } from './contest.ts';
import type { GroupEvent } from './group-event.ts';
import { ForgottenGroups } from './forgotten-groups.ts';
import { GroupMoves } from './group-moves.ts';
import type { SiteLiveness } from './group-ports.ts';
import { GroupSync } from './group-sync.ts';
import { GroupView } from './group-view.ts';
import { HomeWatch } from './home-watch.ts';
import { LateRecords } from './late-records.ts';
import { Ledger } from './ledger.ts';
import { LogStarts } from './log-starts.ts';
import { countModes, resolveMode, type ModeCount, type ResolvedMode } from './mode.ts';
import { OffsetsRetention, type RetentionCluster } from './offsets-retention.ts';
import { overlapOf } from './overlap.ts';
import { OwnCommits } from './own-commits.ts';
import {
  type FailoverRequest,
  type GroupUpdate,
  type SwitchoverRequest,
  type SwitchoverStep,
  type TranslateRequest,
} from './updates.ts';
import type { PositionsSource } from './positions-source.ts';
import { PositionsStore } from './positions-store.ts';
import { SiteReaders, type ReadCluster } from './site-readers.ts';
import type { LateStretch } from './stored-late.ts';
import type { Translator } from './translator.ts';
import { watchGroups } from './watch-groups.ts';
import { HomeTeller, type HomeView } from './watch-home.ts';

export interface GroupServiceOptions {
  readonly site: SiteName;
  readonly topology: () => Topology;
  readonly translator: () => Translator;
  /** This site's own Kafka. */
  readonly cluster: ReadCluster & RetentionCluster;
  /** `__causeway-groups` */
  readonly log: StateLog;
  readonly liveness: (site: SiteName) => SiteLiveness;
  /** Another site's Kafka, while it can be reached. */
  readonly remoteCluster: (site: SiteName) => ReadCluster | undefined;
  readonly owns: (group: string, from: SiteName) => boolean;
  readonly maps: MapBook;
  readonly onEvent: (event: GroupEvent) => void;
}

const storeMs = 500;
/** Each part has a loop or two that end with the service; more than that is a leak. */
const partListenersMax = 30;
const twoHomes = 'made at home at two sites in one epoch, apart from each other';

export class GroupService {
  readonly #options: GroupServiceOptions;
  readonly #deps: Deps;
  readonly #store = new PositionsStore();
  readonly #ledger: Ledger;
  readonly #view: GroupView;
  readonly #readers: SiteReaders;
  readonly #sync: GroupSync;
  readonly #moves: GroupMoves;
  readonly #late: LateRecords;
  readonly #forgotten: ForgottenGroups;
  readonly #homes: HomeTeller;
  readonly #synced = new Moment();
  readonly #watch: HomeWatch;
  readonly #own: OwnCommits;

  constructor(options: GroupServiceOptions, deps: Deps) {
    const { site, cluster, log, owns, topology, translator, liveness, remoteCluster } = options;
    this.#options = options;
    this.#deps = deps;
    const store = this.#store;
    const ledger = new Ledger(
      (records) => log.append(records),
      (group, homes) => deps.log.error({ group, homes }, twoHomes),
    );
    this.#ledger = ledger;
    const modeOf = (group: string): ResolvedMode => this.#modeOf(group);
    const homeOf = (group: string): ResolvedMode['home'] => modeOf(group).home;
    const otherSites = (): SiteName[] => [...topology().sites.keys()].filter((one) => one !== site);
    const overlap: FindOverlap = (there, here, left) =>
      overlapOf({ topology: topology(), translator: translator(), there, here, left });
    const base = { site, topology, translator, cluster, liveness, remoteCluster, store, ledger };
    const parts = { ...base, modeOf, overlap, otherSites, owns };
    this.#view = new GroupView({ ...parts, reader: (at) => this.#readers.reader(at) }, deps);
    const own = { site, cluster, logTopic: log.topic, ledger, modeOf };
    this.#own = new OwnCommits(own, deps);
    this.#sync = new GroupSync(
      {
        ...parts,
        starts: new LogStarts(cluster, deps.clock),
        retention: new OffsetsRetention(cluster, deps),
        standing: (group) => this.#readers.own.standing(group),
      },
      deps,
    );
    this.#readers = new SiteReaders(
      {
        ...parts,
        // One that goes on for another is followed for the way back, whatever the filter says.
        isFollowed: (group) =>
          modeOf(group).isIncluded || ledger.home(group)?.standsFor !== undefined,
        origin: (group, offset) => this.#own.originOf(group, offset),
        settle: () => this.#own.ledgerHeard(),
        onCommits: (group) => this.#sync.due(group),
        homeOf,
      },
      deps,
    );
    const homeIdleMs = (): number => topology().homeIdleMs;
    const { onEvent } = options;
    this.#watch = new HomeWatch({ ...parts, homeIdleMs, onEvent }, deps);
    this.#homes = new HomeTeller({ modeOf, ledger, clock: deps.clock });
    const append = (records: readonly StateRecord[]): Promise<void> => log.append(records);
    const late = new LateRecords({ ...options, append }, deps);
    this.#late = late;
    this.#forgotten = new ForgottenGroups({ store, ledger, cluster, append }, deps);
    const ledgerHeard = (): Promise<void> => this.#own.ledgerHeard();
    const leaveNow = (group: string): Promise<void> => this.#own.leaveNow(group);
    const moves = { ...options, ...parts, view: this.#view, late, ledgerHeard, leaveNow };
    this.#moves = new GroupMoves(moves, deps);
  }

  /** Resolves when all that was stored at the start has been loaded. */
  async synced(): Promise<void> {
    await this.#synced.come;
  }

  /** The last known positions of every group at every site. */
  get positions(): PositionsStore {
    return this.#store;
  }

  async run(stop: AbortSignal): Promise<void> {
    const { log } = this.#options;
    // Its parts listen to one of its own, not each to that of the whole agent.
    const signal = AbortSignal.any([stop]);
    setMaxListeners(partListenersMax, signal);
    const onRecords = (records: readonly FollowedRecord[]): void => this.#load(records);
    const following = log.follow({ onRecords, onSynced: () => this.#synced.tell() }, signal);
    const stopListening = this.#ledger.onHome((group) => this.#own.noteMoved(group));
    signal.addEventListener('abort', () => this.#synced.tell(), { once: true });
    await Promise.all([
      following,
      this.#synced.come.then(() => this.#readers.run(signal)),
      this.#synced.come.then(() => this.#sync.run(signal)),
      this.#synced.come.then(() => this.#watch.run(signal)),
      this.#synced.come.then(() => this.#late.run(signal)),
      this.#synced.come.then(() => this.#forgotten.run(signal)),
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
    }
    await this.#ledger.setHomes(
      updates.flatMap((update) => (update.kind === 'home' ? [[update.group, update.home]] : [])),
    );
  }

  /** This site's own positions, and all homes: as they are, `synced`, then as they change. */
  watch(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]> {
    return watchGroups(this.#options.site, this.#store, this.#ledger, signal);
  }

  /** Where one group is at home, for its members: as it is, then as it changes. */
  watchHome(group: string, signal: AbortSignal): AsyncIterable<HomeView> {
    return this.#homes.watch(group, signal);
  }

  // --- questions, and moving

  /** Where positions that this agent reads by itself come from. */
  sources(): readonly PositionsSource[] {
    return this.#readers.sources();
  }

  modes(): readonly ModeCount[] {
    const groups = new Set(this.#store.sites().flatMap((site) => this.#store.groups(site)));
    return countModes([...groups].map((group) => this.#modeOf(group)));
  }

  translate(request: TranslateRequest): Promise<TranslateAnswer> {
    return this.#view.translate(request);
  }

  /** What groups failed over past, and what has become of it. */
  late(): readonly LateStretch[] {
    return this.#late.list();
  }

  /** How well each group that is known could go on here now. */
  readiness(): readonly GroupReadiness[] {
    return this.#view.readiness();
  }

  planFailover(request: FailoverRequest): Promise<FailoverPlan> {
    return this.#moves.plan(request);
  }

  executeFailover(...args: Parameters<GroupMoves['failover']>): Promise<FailoverReport> {
    return this.#moves.failover(...args);
  }

  /** A planned move: what is waited for, as it changes, then the report. */
  switchover(request: SwitchoverRequest, signal: AbortSignal): AsyncIterable<SwitchoverStep> {
    return this.#homes.during(request, this.#moves.switchover(request, signal));
  }

  // --- inner

  #modeOf(group: string): ResolvedMode {
    const topology = this.#options.topology();
    const home = this.#ledger.home(group);
    const seenAt = (): SiteName[] =>
      [...topology.sites.keys()].filter((site) => this.#store.has(site, group));
    return resolveMode(topology, group, { home, seenAt });
  }

  #load(records: readonly FollowedRecord[]): void {
    for (const record of records) {
      try {
        if (this.#store.load(record) || this.#late.load(record)) continue;
        this.#ledger.load(record);
      } catch (error) {
        const { offset } = record;
        this.#deps.log.error({ offset, topic: this.#options.log.topic }, errorMessage(error));
      }
    }
    const last = records.at(-1);
    if (last !== undefined) this.#own.loadedTo(Number(last.offset) + 1);
  }

  async #storeLoop(signal: AbortSignal): Promise<void> {
    await this.#synced.come;
    let isFailing = false;
    let topology = this.#options.topology();
    while (!signal.aborted) {
      await this.#deps.clock.sleep(storeMs, signal).catch(() => undefined);
      if (topology !== this.#options.topology()) {
        this.#readers.reviewAll();
        this.#sync.dueAll();
      }
      topology = this.#options.topology();
      try {
        await this.#store.store((records) => this.#options.log.append(records));
        await this.#ledger.storeHomes();
        await this.#own.leaveHomes((group) => {
          this.#readers.review(group);
          this.#sync.due(group);
        });
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
