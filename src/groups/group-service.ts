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
import type { FollowedRecord, StateLog, StateRecord } from '../kafka/state-records.ts';
import type { MapBook } from '../offsets/map-book.ts';
import type { Topology } from '../topology/model.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupHome,
  GroupReadiness,
  TranslateAnswer,
  TranslatedPosition,
} from './answer.ts';
import { GroupMoves } from './group-moves.ts';
import type { SiteLiveness } from './group-ports.ts';
import { GroupSync } from './group-sync.ts';
import { GroupView } from './group-view.ts';
import { LateRecords } from './late-records.ts';
import { Ledger, type WrittenOffset } from './ledger.ts';
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
import type { GroupEvent } from './group-event.ts';
import { formerId } from './stand-in.ts';
import { SiteReaders, type ReadCluster } from './site-readers.ts';
import type { LateStretch } from './stored-late.ts';
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
  readonly maps: MapBook;
  readonly onEvent: (event: GroupEvent) => void;
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
  readonly #moves: GroupMoves;
  readonly #late: LateRecords;
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
        // One that goes on for another is followed for the way back, whatever the filter says.
        isFollowed: (group) =>
          declaredMode(topology(), group).isIncluded || ledger.home(group)?.standsFor !== undefined,
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
    const ledgerHeard = (): Promise<void> => this.#ledgerHeard();
    const append = (records: readonly StateRecord[]): Promise<void> => log.append(records);
    const late = new LateRecords({ ...options, append }, deps);
    this.#late = late;
    this.#moves = new GroupMoves({ ...options, ...parts, view, late, ledgerHeard }, deps);
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
      this.#synced.then(() => this.#late.run(signal)),
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
    return this.#moves.switchover(request, signal);
  }

  // --- inner

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
    const id = formerId(group, home, site);
    // Members that are back already commit in their own right.
    const isBack = id !== group && (await cluster.groupMembers(id)).memberCount > 0;
    const standing = isBack ? [] : await cluster.groupOffsets(id);
    const left = standing.filter(({ offset }) => offset >= 0n);
    if (left.length > 0) await this.#ledger.noteWritten(id, left);
    this.#ledger.confirmWritten(id, left);
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
        if (this.#store.load(record) || this.#late.load(record)) continue;
        this.#ledger.load(record);
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
