/**
 * What is known of groups: where they are at home, their positions at one site, and what those are
 * at another. Asks Kafka only to be newer; every answer stands without it. Changes nothing.
 */
import { withDeadline } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { isMeshError, MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import type { ListedOffset } from '../kafka/cluster.ts';
import type { Topology } from '../topology/model.ts';
import type { GroupReadiness, ModeFacts, TranslateAnswer, TranslatedPosition } from './answer.ts';
import { modeFacts, type FindOverlap } from './contest.ts';
import type { FailoverFacts } from './failover.ts';
import type { GroupCluster, SiteLiveness } from './group-ports.ts';
import type { Ledger, WrittenOffset } from './ledger.ts';
import type { ResolvedMode } from './mode.ts';
import type { PositionsReader } from './positions-reader.ts';
import type { PositionsStore } from './positions-store.ts';
import { blockersOf, readinessState, totals, verdictOf } from './readiness.ts';
import { checkId, idFacts } from './stand-in.ts';
import type { LogStart, SourcePosition, Translator } from './translator.ts';
import type { FailoverRequest, TranslateRequest } from './updates.ts';

export interface GroupViewParts {
  readonly site: SiteName;
  readonly topology: () => Topology;
  readonly translator: () => Translator;
  /** This site's own Kafka. */
  readonly cluster: GroupCluster;
  readonly liveness: (site: SiteName) => SiteLiveness;
  /** Another site's Kafka, while it can be reached. */
  readonly remoteCluster: (site: SiteName) => GroupCluster | undefined;
  readonly store: PositionsStore;
  readonly ledger: Ledger;
  readonly modeOf: (group: string) => ResolvedMode;
  readonly overlap: FindOverlap;
  /** What reads the positions of a site here; undefined: its agents tell them. */
  readonly reader: (site: SiteName) => PositionsReader | undefined;
}

const siteAnswerMs = 2_000;

export class GroupView {
  readonly #parts: GroupViewParts;
  readonly #deps: Deps;

  constructor(parts: GroupViewParts, deps: Deps) {
    this.#parts = parts;
    this.#deps = deps;
  }

  #modeFacts(group: string): ModeFacts {
    const { store, modeOf, overlap } = this.#parts;
    return modeFacts(modeOf(group), (site) => store.positions(site, group), overlap);
  }

  /** The Kafka of a site: our own, or another's while it can be reached. */
  #clusterOf(site: SiteName): GroupCluster | undefined {
    return site === this.#parts.site ? this.#parts.cluster : this.#parts.remoteCluster(site);
  }

  /** @throws MeshError site_unknown, usage */
  #checkSites(from: SiteName, to: SiteName): void {
    const { sites } = this.#parts.topology();
    for (const name of [from, to]) {
      if (sites.has(name)) continue;
      const declared = [...sites.keys()].join(', ');
      throw new MeshError('site_unknown', `no site ${name}; declared are ${declared}`);
    }
    if (from === to) throw new MeshError('usage', `from and to are both ${from}: wanted two sites`);
  }

  async translate(request: TranslateRequest): Promise<TranslateAnswer> {
    const { group, from, to } = request;
    this.#checkSites(from, to);
    const isExplicit = request.positions.length > 0;
    if (!isExplicit) await this.#readNow(group, from);
    const known = isExplicit ? request.positions : this.known(group, from);
    if (known.length === 0) {
      throw new MeshError('group_unknown', `no position of group ${group} at ${from} is known`);
    }
    return this.#answer(request, await this.positions(known, from, to), known, isExplicit);
  }

  /** All that a decision to move a group rests on, as it is now. */
  async facts(request: FailoverRequest): Promise<FailoverFacts> {
    const { site, liveness, translator, topology, ledger } = this.#parts;
    const { group, from, to, as: into = group } = request;
    this.#checkSites(from, to);
    checkId(request);
    const notReadWhy = await this.#readNow(group, from);
    const known = this.known(group, from);
    const positions = await this.positions(known, from, to);
    const { seconds, perSecond } = translator().lossRate(known, from, to);
    const logs = positions.map((one) => ({ ...one.source, loss: one.notHereAtLeast }));
    const crossing = translator().crossing(logs, from, to);
    return {
      answer: this.#answer(request, positions, known, false),
      ids: idFacts(request, topology(), ledger.homes()),
      site,
      liveness: liveness(from),
      nowMs: this.#deps.clock.nowMs(),
      membersThere: await this.#members(from, group),
      membersHere: to === site ? await this.#members(to, into) : undefined,
      foreignHere: to === site ? await this.#foreignHere(into, positions) : [],
      overwrite: request.overwrite,
      notReadWhy,
      lossUnknownPartitions: crossing.filter(({ loss }) => loss === undefined).length,
      lossSeconds: seconds,
      growthRecordsPerSecond: perSecond,
    };
  }

  /** Every group that is known, by name: how well it could go on here now. */
  readiness(): readonly GroupReadiness[] {
    const { store } = this.#parts;
    const groups = new Set(store.sites().flatMap((one) => store.groups(one)));
    return [...groups].sort().map((group) => this.#readiness(group));
  }

  /** What is known of the group at a site, partitions without a commit included. */
  known(group: string, from: SiteName): SourcePosition[] {
    const { topology, site, translator, store } = this.#parts;
    const found = store.positions(from, group);
    const known = new Map<string, SourcePosition>();
    for (const { topic, partition, offset, leaderEpoch } of found) {
      known.set(`${topic}/${partition}`, { topic, partition, offset, leaderEpoch });
    }
    const others = [...topology().sites.keys()].filter((one) => one !== from);
    for (const topic of new Set(found.map((one) => one.topic))) {
      for (const to of from === site ? others : [site]) {
        for (const partition of translator().partitions(topic, from, to)) {
          const key = `${topic}/${partition}`;
          if (!known.has(key)) known.set(key, { topic, partition, offset: undefined });
        }
      }
    }
    return [...known.values()].sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    );
  }

  /** While the site answers, its positions are read at this moment; else why they were not. */
  async #readNow(group: string, from: SiteName): Promise<string | undefined> {
    const { store, modeOf } = this.#parts;
    const { home, isDeclared } = modeOf(group);
    // Elsewhere than at home stands what agents wrote there: not a position of the group.
    if (home !== undefined && home.site !== from) return undefined;
    try {
      const reader = this.#parts.reader(from);
      if (reader !== undefined) await this.#soon(from, reader.refresh(group));
      // Nobody says what it is: what stands there may be of agents, and theirs tell us.
      if (reader !== undefined || (home === undefined && !isDeclared)) return undefined;
      // By the clock of those who tell of it, which may be behind ours: what they say next counts.
      const asOfMs = store.asOfMs(from, group) ?? 0;
      const offsets = await this.#soon(from, this.#clusterOf(from)?.groupOffsets(group));
      const found = offsets?.filter(({ offset }) => offset >= 0n) ?? [];
      if (found.length > 0) store.observe(from, group, found, asOfMs);
      return undefined;
    } catch (error) {
      if (!isMeshError(error)) throw error;
      this.#deps.log.debug({ group, from, why: error.message }, 'positions not read anew');
      return error.message;
    }
  }

  async positions(
    known: readonly SourcePosition[],
    from: SiteName,
    to: SiteName,
  ): Promise<readonly TranslatedPosition[]> {
    const translator = this.#parts.translator();
    const first = translator.translate(known, from, to);
    return translator.translate(known, from, to, await this.#logStarts(first, to));
  }

  /** Commits here that are not ours and differ from what the group would get. */
  async #foreignHere(
    group: string,
    positions: readonly TranslatedPosition[],
  ): Promise<readonly WrittenOffset[]> {
    const { cluster, ledger } = this.#parts;
    const targets = new Map(
      positions.map(({ target }) => [`${target.topic}/${target.partition}`, target.offset]),
    );
    return (await cluster.groupOffsets(group)).filter((standing) => {
      const target = targets.get(`${standing.topic}/${standing.partition}`);
      const isReplaced =
        standing.offset >= 0n && target !== undefined && target !== standing.offset;
      return isReplaced && !ledger.isOurs(group, standing);
    });
  }

  /** Members of the group at a site now; undefined: the site does not answer. */
  async #members(site: SiteName, group: string): Promise<number | undefined> {
    try {
      return (await this.#soon(site, this.#clusterOf(site)?.groupMembers(group)))?.memberCount;
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }

  /** Ends of those of the logs that cross from there; undefined: no answer. */
  async ends(
    logs: readonly { readonly topic: string; readonly partition: number }[],
    from: SiteName,
    to: SiteName,
  ): Promise<readonly ListedOffset[] | undefined> {
    const copied = this.#parts.translator().crossing(logs, from, to);
    try {
      return await this.#soon(from, this.#clusterOf(from)?.listOffsets(copied, 'latest'));
    } catch (error) {
      if (isMeshError(error)) return undefined;
      throw error;
    }
  }

  #readiness(group: string): GroupReadiness {
    const { site, translator, store } = this.#parts;
    const mode = this.#modeFacts(group);
    const { home } = mode;
    const withPositions = store.sites().filter((one) => store.positions(one, group).length > 0);
    const elsewhere = withPositions.filter((one) => one !== site);
    const from = home?.site ?? (elsewhere.length === 1 ? elsewhere[0] : undefined);
    const known = from === undefined || from === site ? [] : this.known(group, from);
    const positions = from === undefined ? [] : translator().translate(known, from, site);
    const isUsedHere = store.positions(site, group).some(({ offset }) => offset !== undefined);
    const facts = { ...mode, site, withPositions, isUsedHere, positions };
    return {
      group,
      site,
      ...mode,
      sites: withPositions,
      from: positions.length === 0 ? undefined : from,
      ...readinessState(facts),
      ...totals(positions),
      positionsAsOfMs: from === undefined ? undefined : store.asOfMs(from, group),
    };
  }

  /** First offsets still held at the target: nothing older may be answered. */
  async #logStarts(positions: readonly TranslatedPosition[], to: SiteName): Promise<LogStart> {
    const wanted = positions.filter(({ certainty }) => certainty !== 'unknown');
    const named = wanted.map(
      ({ target }) => [`${target.topic}/${target.partition}`, target] as const,
    );
    // A partition that is asked for twice is refused, and several positions may be in one.
    const logs = new Map(named);
    try {
      const asked = this.#clusterOf(to)?.listOffsets([...logs.values()], 'earliest');
      const listed = await this.#soon(to, asked);
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
    { group, from, to, as }: Pick<FailoverRequest, 'group' | 'from' | 'to' | 'as'>,
    positions: readonly TranslatedPosition[],
    known: readonly SourcePosition[],
    isExplicit: boolean,
  ): TranslateAnswer {
    const { topology, translator, liveness, store, site } = this.#parts;
    const facts = this.#modeFacts(group);
    const blockers = [...blockersOf({ group, to, as }, facts, positions)];
    return {
      mesh: topology().mesh,
      group,
      from,
      to,
      ...facts,
      verdict: verdictOf(positions),
      safeToStart: blockers.length === 0,
      blockers,
      sourceReachable: from === site || liveness(from).kafkaReachable,
      positionsAsOfMs: isExplicit ? undefined : store.asOfMs(from, group),
      sourceEndAsOfMs: translator().sourceEndAsOfMs(known, from, to),
      positions,
    };
  }

  /** A site that has just died must not hold up the answer: it counts as silent. */
  async #soon<T>(site: SiteName, asked: Promise<T> | undefined): Promise<T | undefined> {
    if (asked === undefined) return undefined;
    asked.catch(() => undefined);
    const late = (): MeshError =>
      new MeshError('kafka_timeout', `Kafka of ${site} did not answer in time`);
    return withDeadline(this.#deps.clock, siteAnswerMs, asked, late);
  }
}
