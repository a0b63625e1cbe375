/**
 * A kafkajs consumer group that lives in a mesh: it runs where the group is at home, starts at the
 * record that Causeway says, and follows the home when that moves.
 *
 * At least once: an offset is committed after the handler has returned for every record before it,
 * never earlier. Handled again is only what was handled and not committed when the site was lost or
 * the consumer killed, and what `StartReport` says.
 *
 * decide.ts says what to do next; this does it, one thing after the other.
 */
import { Bell } from '../../base/bell.ts';
import { systemClock, type Clock } from '../../base/clock.ts';
import { isMeshError, MeshError, toError } from '../../base/errors.ts';
import { Agents } from './agents.ts';
import { observe, type MetricFacts } from './consumer-metrics.ts';
import type { ConsumerStatus } from './consumer-status.ts';
import { decide, type Decision, type Facts } from './decide.ts';
import { Teller, type MoveEvent, type StartBasis } from './events.ts';
import { checkHandlers, type RunOptions } from './handlers.ts';
import { checkOptions, type ConsumerSite, type MeshConsumerOptions } from './options.ts';
import { prepareStart, type StartPlace } from './prepare-start.ts';
import { SiteSession } from './site-session.ts';
import type { StartReport } from './start-report.ts';
import { syncedSite } from './synced-site.ts';
import { takeOver } from './take-over.ts';
import { Tally } from './tally.ts';
import { TopicNames } from './topic-names.ts';

const tickMs = 500;
/** A site that was not heard for so long is asked. */
const staleMsMax = 3_000;

export class MeshConsumer implements AsyncDisposable {
  readonly #options: MeshConsumerOptions;
  readonly #clock: Clock;
  readonly #sites: readonly (readonly [string, ConsumerSite])[];
  readonly #siteNames: readonly string[];
  readonly #names: TopicNames;
  readonly #teller: Teller;
  readonly #agents: Agents;
  readonly #bell: Bell;
  readonly #stop = new AbortController();
  readonly #tally = new Tally();
  #handlers: RunOptions = {};
  #session: SiteSession | undefined;
  #hasJoined = false;
  #onFirstJoin: () => void = () => undefined;
  #lastPlace: StartPlace['from'];
  #start: StartReport | undefined;
  #failure: Error | undefined;
  #passedOver: number | undefined;
  #cause: MoveEvent['cause'] = 'home_moved';
  #ended: Promise<void> | undefined;

  /**
   * Does no I/O.
   * @throws MeshError usage, site_unknown: what is wrong with the options
   */
  constructor(options: MeshConsumerOptions, { clock }: { clock: Clock } = { clock: systemClock }) {
    checkOptions(options);
    const { group, sites, topics, origins = [], hooks, log } = options;
    this.#options = options;
    this.#clock = clock;
    this.#bell = new Bell(clock);
    this.#sites = Object.entries(sites);
    this.#siteNames = Object.keys(sites);
    this.#names = new TopicNames(topics, [...this.#siteNames, ...origins]);
    this.#teller = new Teller(group, hooks, log);
    const onChange = (): void => this.#bell.ring();
    const deps = { clock, log: this.#teller.log };
    this.#agents = new Agents({ group, sites, origins, onChange }, deps);
  }

  /**
   * Resolves when it has joined the group at a site; it goes on until `stop`.
   * @throws MeshError usage (called twice, no handler); site_unknown; precondition: the group is
   * contested or of another mode, not safe to start, or there is neither an agent nor an offset;
   * kafka_authentication, kafka_authorization
   */
  async run(handlers: RunOptions): Promise<void> {
    checkHandlers(handlers);
    if (this.#ended !== undefined) throw new MeshError('usage', 'run: it was called before');
    this.#handlers = handlers;
    const joined = new Promise<void>((resolve) => {
      this.#onFirstJoin = resolve;
    });
    this.#ended = this.#loop();
    this.#ended.catch(() => undefined);
    await Promise.race([joined, this.#ended]);
  }

  /** Settles when it has stopped. @throws MeshError that ended it, as of `run` */
  get ended(): Promise<void> {
    return this.#ended ?? Promise.resolve();
  }

  /** Lets the handler finish, commits, leaves the group. It cannot be run again. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended?.catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  status(): ConsumerStatus {
    const { group } = this.#options;
    const [site, home] = [this.#session?.site, this.#agents.view()?.home];
    return { group, state: this.#state(), site, home, start: this.#start };
  }

  #state(): ConsumerStatus['state'] {
    if (this.#ended === undefined) return 'idle';
    if (this.#stop.signal.aborted) return 'stopped';
    if (this.#session === undefined) return 'waiting';
    return this.#hasJoined ? 'running' : 'starting';
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stop;
    const following = this.#agents.run(signal);
    const stopObserving = observe(() => this.#metrics());
    try {
      while (!signal.aborted) {
        const problem = this.#failure ?? this.#agents.problem;
        if (problem !== undefined) throw problem;
        await this.#do(decide(this.#facts()));
        await this.#bell.sleep(tickMs, signal);
      }
    } catch (error) {
      if (isMeshError(error, 'aborted') && signal.aborted) return;
      if (isMeshError(error)) this.#teller.ended(error);
      throw error;
    } finally {
      this.#stop.abort();
      await this.#leave();
      await following;
      stopObserving();
    }
  }

  #facts(): Facts {
    const running = this.#session?.facts();
    const { group, firstSite, moveOnLoss, agentTimeoutMs = 10_000 } = this.#options;
    return {
      group,
      sites: this.#siteNames,
      firstSite,
      moveOnLoss,
      view: this.#agents.view(),
      agentsSilentMs: this.#agents.silentMs(),
      othersSilentMs: this.#agents.silentMs(running?.site),
      agentTimeoutMs,
      running,
      passedOver: this.#passedOver,
    };
  }

  async #do(decision: Decision): Promise<void> {
    const { group } = this.#options;
    switch (decision.kind) {
      case 'fail':
        throw decision.error;
      case 'stay':
        this.#passedOver ??= decision.passOver;
        if (decision.why !== undefined) this.#teller.waiting(decision.why);
        return;
      case 'wait': {
        const { why, leaveFor } = decision;
        const from = this.#session?.site;
        await this.#leave();
        if (from !== undefined && leaveFor !== undefined) {
          this.#teller.left({ group, from, to: leaveFor });
        }
        this.#teller.waiting(why);
        return;
      }
      case 'run':
        return this.#runAt(decision.site, decision.basis, decision.why);
      case 'use_synced':
        return this.#useSynced(decision.lost);
      case 'take_over':
        return this.#takeOver(decision.from);
    }
  }

  async #runAt(site: string, basis: StartBasis, why: string): Promise<void> {
    if (this.#session?.site === site) {
      if (basis === 'home') this.#session.basis = basis;
      return;
    }
    await this.#leave();
    this.#teller.waiting(undefined);
    const from = this.#lastPlace;
    if (from !== undefined && from.site !== site) this.#tellMove(from.site, site);
    this.#passedOver = undefined;
    const place = { basis, why, from: from?.site === site ? undefined : from };
    const session = this.#newSession(site, place);
    this.#session = session;
    session.run().catch((error: unknown) => {
      this.#failure = toError(error);
      this.#bell.ring();
    });
  }

  #newSession(site: string, place: StartPlace): SiteSession {
    const { group, sites, consumer = {}, topicsMs = 5_000, moveOnLoss } = this.#options;
    const kafka = sites[site]?.kafka;
    if (kafka === undefined) throw new MeshError('site_unknown', `no site ${site} was named`);
    const agents = this.#agents;
    const { log } = this.#teller;
    const names = this.#names;
    const { unknownPositions = 'refuse' } = this.#options;
    const parts = { group, sites: this.#siteNames, names, agents, log, unknownPositions };
    return new SiteSession(
      {
        group,
        site,
        basis: place.basis,
        kafka,
        names,
        config: consumer,
        handlers: this.#handlers,
        topicsMs,
        staleMs: Math.min(staleMsMax, (moveOnLoss?.afterMs ?? Infinity) / 4),
        prepare: async (admin, topics) => {
          this.#start = await prepareStart(admin, topics, place, parts);
          this.#teller.started(this.#start);
        },
        onChange: () => this.#bell.ring(),
        onJoined: () => {
          this.#hasJoined = true;
          this.#onFirstJoin();
        },
        onHandled: (records) => this.#tally.handled(site, records),
      },
      { clock: this.#clock, teller: this.#teller },
    );
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    this.#hasJoined = false;
    await session.stop();
    this.#lastPlace = { site: session.site, committed: session.committedAtStop };
    this.#session = undefined;
  }

  /** Where offsets stand that agents wrote there before. */
  async #useSynced(lost: string | undefined): Promise<void> {
    const { group } = this.#options;
    const sites = this.#sites.filter(([name]) => name !== lost);
    try {
      const parts = { group, sites, names: this.#names, clock: this.#clock };
      const site = await syncedSite(parts, this.#stop.signal);
      this.#cause = lost === undefined ? 'home_moved' : 'site_lost';
      const why = `no agent answers: ${group} goes on from the offsets that stand at ${site}`;
      await this.#runAt(site, 'synced', why);
    } catch (error) {
      // While it runs somewhere, even in vain, a better moment may come.
      if (lost === undefined || !isMeshError(error, 'precondition')) throw error;
      this.#teller.waiting(error.message);
    }
  }

  async #takeOver(lost: string): Promise<void> {
    const { group, requestedBy = `consumer ${group}` } = this.#options;
    const known = { group, requestedBy, sites: this.#siteNames, agents: this.#agents };
    const leave = (): Promise<void> => this.#leave();
    const parts = { ...known, teller: this.#teller, leave };
    const home = await takeOver(lost, parts);
    if (home === undefined) return;
    this.#cause = 'site_lost';
    this.#agents.learn(home);
    this.#bell.ring();
  }

  #tellMove(from: string, to: string): void {
    const { group } = this.#options;
    this.#tally.moved({ from, to });
    const epoch = this.#agents.view()?.home?.epoch;
    this.#teller.moved({ group, from, to, cause: this.#cause, epoch });
    this.#cause = 'home_moved';
  }

  #metrics(): MetricFacts {
    return {
      group: this.#options.group,
      sites: this.#siteNames,
      site: this.#hasJoined ? this.#session?.site : undefined,
      home: this.#agents.view()?.home,
      records: this.#tally.records,
      moves: this.#tally.moves,
      rereadAtMost: this.#start?.rereadAtMost,
      siteSilentMs: this.#session?.silentMs() ?? 0,
    };
  }
}
