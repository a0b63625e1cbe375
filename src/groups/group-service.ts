/**
 * All that an agent knows of and does for consumer groups, behind one door: follows positions,
 * tells peers, syncs, translates, fails over. The parts decide; this wires them and stores their
 * state.
 */
import { withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { errorMessage, isMeshError, MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { LatestQueue } from '../base/latest-queue.ts';
import type { FollowedRecord, StateLog } from '../kafka/state-records.ts';
import { weakest } from '../offsets/certainty.ts';
import type { Topology } from '../topology/model.ts';
import type {
  FailoverPlan,
  FailoverReport,
  GroupHome,
  TranslateAnswer,
  TranslatedPosition,
} from './answer.ts';
import { executePlan, makePlan } from './failover.ts';
import type { GroupCluster, SiteLiveness } from './group-ports.ts';
import { GroupSync } from './group-sync.ts';
import { Ledger } from './ledger.ts';
import type { FailoverRequest, GroupUpdate, TranslateRequest } from './updates.ts';
import { declaredMode } from './mode.ts';
import { PositionsPoller } from './positions-poller.ts';
import { PositionsStore } from './positions-store.ts';
import type { LogStart, SourcePosition, Translator } from './translator.ts';

export interface GroupServiceOptions {
  readonly site: SiteName;
  readonly topology: () => Topology;
  readonly translator: () => Translator;
  /** This site's own Kafka. */
  readonly cluster: GroupCluster;
  /** `__causeway-groups` */
  readonly log: StateLog;
  readonly liveness: (site: SiteName) => SiteLiveness;
  /** Another site's Kafka, while it can be reached. */
  readonly remoteCluster: (site: SiteName) => GroupCluster | undefined;
  readonly owns: (group: string, from: SiteName) => boolean;
}

const storeMs = 500;
const siteAnswerMs = 2_000;
const updatesPerMessage = 500;

export class GroupService {
  readonly #options: GroupServiceOptions;
  readonly #deps: Deps;
  readonly #store = new PositionsStore();
  readonly #ledger: Ledger;
  readonly #poller: PositionsPoller;
  readonly #sync: GroupSync;
  readonly #synced: Promise<void>;
  #markSynced: () => void = () => undefined;

  constructor(options: GroupServiceOptions, deps: Deps) {
    const { site, cluster, log, owns } = options;
    this.#options = options;
    this.#deps = deps;
    this.#synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    const store = this.#store;
    const ledger = new Ledger((records) => log.append(records));
    this.#ledger = ledger;
    this.#poller = new PositionsPoller(
      {
        site,
        cluster,
        store,
        isFollowed: (group) => declaredMode(options.topology(), group).isIncluded,
        isOurs: (group, offset) => {
          const home = this.#home(group);
          return home !== undefined && home.site !== site && ledger.isOurs(group, offset);
        },
      },
      deps,
    );
    const homeOf = (group: string): GroupHome | undefined =>
      declaredMode(options.topology(), group).mode === 'single' ? this.#home(group) : undefined;
    const translate = (group: string, from: SiteName): Promise<readonly TranslatedPosition[]> =>
      this.#positions(this.#known(group, from), from, site);
    this.#sync = new GroupSync({ site, cluster, store, ledger, homeOf, owns, translate }, deps);
  }

  /** Resolves when all that was stored at the start has been loaded. */
  async synced(): Promise<void> {
    await this.#synced;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const onRecords = (records: readonly FollowedRecord[]): void => this.#load(records);
    const following = log.follow({ onRecords, onSynced: () => this.#markSynced() }, signal);
    const stopListening = this.#ledger.onHome((group) => void this.#leaveHome(group));
    await Promise.all([
      following,
      this.#synced.then(() => this.#poller.run(signal)),
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
      if (update.kind === 'home') await this.#ledger.setHome(update.group, update.home);
    }
  }

  /** This site's own positions, and all homes: as they are, `synced`, then as they change. */
  async *watch(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]> {
    const { site } = this.#options;
    const queue = new LatestQueue<GroupUpdate>();
    const put = (update: GroupUpdate): void => queue.put(keyOf(update), update);
    const stopPositions = this.#store.onChange((changed) => {
      for (const position of changed) {
        if (position.site === site) put({ kind: 'position', position });
      }
    });
    const stopHomes = this.#ledger.onHome((group, home) => put({ kind: 'home', group, home }));
    try {
      for (const [group, home] of this.#ledger.homes()) put({ kind: 'home', group, home });
      for (const position of this.#store.all(site)) put({ kind: 'position', position });
      put({ kind: 'synced' });
      while (!signal.aborted) {
        const some = await queue.take(updatesPerMessage, signal);
        if (some.length > 0) yield some;
      }
    } finally {
      stopPositions();
      stopHomes();
    }
  }

  // --- questions

  async translate(request: TranslateRequest): Promise<TranslateAnswer> {
    const { group, from, to } = request;
    this.#checkSites(from, to);
    const isExplicit = request.positions.length > 0;
    if (!isExplicit) await this.#readNow(group, from);
    const known = isExplicit ? request.positions : this.#known(group, from);
    if (known.length === 0) {
      throw new MeshError('group_unknown', `no position of group ${group} at ${from} is known`);
    }
    const positions = await this.#positions(known, from, to);
    return this.#answer(request, positions, known, isExplicit);
  }

  async planFailover(request: FailoverRequest): Promise<FailoverPlan> {
    return (await this.#plan(request)).plan;
  }

  async executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<FailoverReport> {
    const { cluster } = this.#options;
    const { group, from } = request;
    const plan = await this.#plan(request);
    const report = await executePlan(plan, planId, {
      cluster,
      ledger: this.#ledger,
      nowMs: this.#deps.clock.nowMs(),
      metadata: new Map(
        this.#store
          .positions(from, group)
          .map((one) => [`${one.topic}/${one.partition}`, one.metadata]),
      ),
    });
    const { home } = report;
    this.#deps.log.info(
      { group, from, home: home.site, epoch: home.epoch, requestedBy },
      'failover',
    );
    return report;
  }

  /** Groups that have a declared home elsewhere, by how well they could start here now. */
  async counts(): Promise<{ ready: number; contested: number; bounded: number; unknown: number }> {
    const { site, topology } = this.#options;
    const counts = { ready: 0, contested: 0, bounded: 0, unknown: 0 };
    for (const group of new Set(this.#store.sites().flatMap((one) => this.#store.groups(one)))) {
      const home = this.#home(group);
      if (home === undefined || declaredMode(topology(), group).mode !== 'single') continue;
      if (home.site === site) counts.ready += 1;
      else {
        const positions = await this.#positions(
          this.#known(group, home.site),
          home.site,
          site,
          false,
        );
        const verdict = weakest(positions.map(({ certainty }) => certainty));
        if (positions.length === 0 || verdict === 'unknown') counts.unknown += 1;
        else if (verdict === 'exact') counts.ready += 1;
        else counts.bounded += 1;
      }
    }
    return counts;
  }

  // --- inner

  #home(group: string): GroupHome | undefined {
    const declared = declaredMode(this.#options.topology(), group).home;
    const first = declared === undefined ? undefined : { site: declared, epoch: 1 };
    return this.#ledger.home(group) ?? first;
  }

  #checkSites(from: SiteName, to: SiteName): void {
    const { sites } = this.#options.topology();
    for (const name of [from, to]) {
      if (sites.has(name)) continue;
      const declared = [...sites.keys()].join(', ');
      throw new MeshError('site_unknown', `no site ${name}; declared are ${declared}`);
    }
    if (from === to) throw new MeshError('usage', `from and to are both ${from}: wanted two sites`);
  }

  /** What is known of the group at a site, partitions without a commit included. */
  #known(group: string, from: SiteName): SourcePosition[] {
    const { topology, site, translator } = this.#options;
    const found = this.#store.positions(from, group);
    const known = new Map(
      found.map((one): [string, SourcePosition] => [`${one.topic}/${one.partition}`, one]),
    );
    const others = [...topology().sites.keys()].filter((one) => one !== from);
    for (const topic of new Set(found.map((one) => one.topic))) {
      for (const to of from === site ? others : [site]) {
        for (const partition of translator().partitions(topic, from, to)) {
          const key = `${topic}/${partition}`;
          if (!known.has(key)) known.set(key, { topic, partition, offset: undefined });
        }
      }
    }
    return [...known.values()]
      .map(({ topic, partition, offset }) => ({ topic, partition, offset }))
      .sort((a, b) =>
        a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
      );
  }

  /** While the site answers, its positions are read at this moment. */
  async #readNow(group: string, from: SiteName): Promise<void> {
    const { site, remoteCluster } = this.#options;
    const home = this.#home(group);
    // Elsewhere than at home stands what agents wrote there: not a position of the group.
    if (home !== undefined && home.site !== from) return;
    try {
      if (from === site) await this.#poller.readGroup(group);
      else {
        const asOfMs = this.#deps.clock.nowMs();
        const offsets = await this.#soon(from, remoteCluster(from)?.groupOffsets(group));
        const found = offsets?.filter(({ offset }) => offset >= 0n) ?? [];
        if (found.length > 0) this.#store.observe(from, group, found, asOfMs);
      }
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#deps.log.debug({ group, from, why: error.message }, 'positions not read anew');
    }
  }

  async #positions(
    known: readonly SourcePosition[],
    from: SiteName,
    to: SiteName,
    withStarts = true,
  ): Promise<readonly TranslatedPosition[]> {
    const translator = this.#options.translator();
    const first = translator.translate(known, from, to);
    if (!withStarts) return first;
    return translator.translate(known, from, to, await this.#logStarts(first, to));
  }

  /** First offsets still held at the target: nothing older may be answered. */
  async #logStarts(positions: readonly TranslatedPosition[], to: SiteName): Promise<LogStart> {
    const { site, cluster, remoteCluster } = this.#options;
    const wanted = positions.filter(({ certainty }) => certainty !== 'unknown');
    try {
      const asked = to === site ? cluster : remoteCluster(to);
      const targets = wanted.map(({ target }) => target);
      const listed = await this.#soon(to, asked?.listOffsets(targets, 'earliest'));
      const known = new Map(
        listed?.flatMap(({ topic, partition, errorCode, offset }) =>
          errorCode === 0 ? [[`${topic}/${partition}`, offset] as const] : [],
        ),
      );
      return (topic, partition) => known.get(`${topic}/${partition}`);
    } catch (error) {
      if (!isMeshError(error)) throw error;
      return () => undefined;
    }
  }

  #answer(
    { group, from, to }: { group: string; from: SiteName; to: SiteName },
    positions: readonly TranslatedPosition[],
    known: readonly SourcePosition[],
    isExplicit: boolean,
  ): TranslateAnswer {
    const { topology, translator, liveness } = this.#options;
    const home = this.#home(group);
    const { mode } = declaredMode(topology(), group);
    const verdict = weakest(positions.map(({ certainty }) => certainty));
    const blockers: string[] = [];
    if (verdict === 'unknown') blockers.push('some positions cannot be translated');
    if (mode === 'everywhere') blockers.push(`${group} has progress of its own at each site`);
    if (home?.site === to)
      blockers.push(`${group} is at home at ${to}: it starts from its own commits`);
    return {
      mesh: topology().mesh,
      group,
      from,
      to,
      mode,
      home,
      verdict,
      safeToStart: blockers.length === 0,
      blockers,
      sourceReachable: from === this.#options.site || liveness(from).kafkaReachable,
      positionsAsOfMs: isExplicit ? undefined : this.#store.asOfMs(from, group),
      sourceEndAsOfMs: translator().sourceEndAsOfMs(known, from, to),
      positions,
    };
  }

  async #plan(request: FailoverRequest): Promise<ReturnType<typeof makePlan>> {
    const { site, cluster, liveness, remoteCluster, translator } = this.#options;
    const { group, from, to } = request;
    this.#checkSites(from, to);
    await this.#readNow(group, from);
    const known = this.#known(group, from);
    const positions = await this.#positions(known, from, to);
    const { seconds, perSecond } = translator().lossRate(known, from, to);
    return makePlan({
      answer: this.#answer(request, positions, known, false),
      site,
      liveness: liveness(from),
      nowMs: this.#deps.clock.nowMs(),
      membersThere: await this.#members(from, from === site ? cluster : remoteCluster(from), group),
      membersHere: to === site ? await this.#members(to, cluster, group) : undefined,
      lossSeconds: seconds,
      growthRecordsPerSecond: perSecond,
    });
  }

  async #members(
    site: SiteName,
    cluster: GroupCluster | undefined,
    group: string,
  ): Promise<number | undefined> {
    try {
      return (await this.#soon(site, cluster?.groupMembers(group)))?.memberCount;
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }

  /** A site that has just died must not hold up the answer: it counts as silent. */
  async #soon<T>(site: SiteName, asked: Promise<T> | undefined): Promise<T | undefined> {
    if (asked === undefined) return undefined;
    asked.catch(() => undefined);
    return withDeadline(this.#deps.clock, siteAnswerMs, asked, () => {
      return new MeshError('kafka_timeout', `Kafka of ${site} did not answer in time`);
    });
  }

  /** The home moved away from here: what the group committed here belongs to an older epoch now. */
  async #leaveHome(group: string): Promise<void> {
    const { site } = this.#options;
    if (this.#home(group)?.site === site) return;
    const left = this.#store.positions(site, group).flatMap(({ topic, partition, offset }) => {
      return offset === undefined ? [] : [{ topic, partition, offset }];
    });
    if (left.length === 0) return;
    await this.#ledger.noteWritten(group, left).catch((error: unknown) => {
      this.#deps.log.warn({ group, why: errorMessage(error) }, 'ledger not stored');
    });
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
  }

  async #storeLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(storeMs, signal).catch(() => undefined);
      try {
        await this.#options.log.append(this.#store.takeDirty());
      } catch (error) {
        if (isMeshError(error, 'aborted')) return;
        this.#deps.log.warn({ why: errorMessage(error) }, 'positions not stored');
      }
    }
  }
}

function keyOf(update: GroupUpdate): string {
  switch (update.kind) {
    case 'position': {
      const { group, topic, partition } = update.position;
      return `position/${topic}/${partition}/${group}`;
    }
    case 'home':
      return `home/${update.group}`;
    case 'synced':
      return 'synced';
  }
}
