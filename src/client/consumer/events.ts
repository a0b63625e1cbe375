/** What a consumer tells: to hooks as values, and to the log as one event each. */
import { errorMessage, type MeshError } from '../../base/errors.ts';
import type { StartReport } from './start-report.ts';

/** The part of pino's loggers that is used. */
export interface ConsumerLog {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Why a consumer runs where it does. */
export type StartBasis =
  /** Agents say that the group is at home there. */
  | 'home'
  /** No home is known: `firstSite`. */
  | 'first'
  /** No agent answers: it goes on from what stands in the group there. */
  | 'synced';

export interface MoveEvent {
  readonly group: string;
  readonly from: string;
  readonly to: string;
  /** `home_moved`: by a verb, or by another member. `site_lost`: by this consumer. */
  readonly cause: 'home_moved' | 'site_lost';
  /** Epoch of the home; undefined when no agent was asked. */
  readonly epoch: number | undefined;
}

export interface LeaveEvent {
  readonly group: string;
  readonly from: string;
  /** Where a switchover is about to move the group; it may be called off. */
  readonly to: string;
}

export interface LossEvent {
  readonly group: string;
  readonly site: string;
  /** For how long its brokers have not answered, in milliseconds. */
  readonly silentMs: number;
}

/**
 * Called as things happen, and not waited for; what a hook throws is logged and changes nothing.
 */
export interface ConsumerHooks {
  /** Before the first record is handled at a site: where it goes on, how surely, and why. */
  onStart?(report: StartReport): unknown;
  /** It has stopped at one site and is about to start at another. */
  onMove?(event: MoveEvent): unknown;
  /** It has committed and left, because a switchover waits for that. */
  onLeave?(event: LeaveEvent): unknown;
  /** The brokers of the site where it runs do not answer. */
  onLost?(event: LossEvent): unknown;
  /** They answer again. */
  onFound?(event: LossEvent): unknown;
  /** Something failed that is tried again: kafkajs, an agent, the handler. */
  onError?(error: Error): unknown;
  /** It runs nowhere, or not as it should: a sentence. Once until that changes. */
  onWaiting?(why: string): unknown;
}

export const noLog: ConsumerLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export class Teller {
  readonly group: string;
  readonly log: ConsumerLog;
  readonly #hooks: ConsumerHooks;
  #waitingFor: string | undefined;

  constructor(group: string, hooks: ConsumerHooks = {}, log: ConsumerLog = noLog) {
    this.group = group;
    this.log = log;
    this.#hooks = hooks;
  }

  started(report: StartReport): void {
    const { positions, ...told } = report;
    const fields = { ...told, rereadAtMost: String(told.rereadAtMost ?? '?') };
    const level = report.basis === 'home' ? 'info' : 'warn';
    this.log[level]({ ...fields, partitions: positions.length }, `started: ${report.why}`);
    this.#call('onStart', report);
  }

  moved(event: MoveEvent): void {
    this.log.info(event, 'group moves');
    this.#call('onMove', event);
  }

  left(event: LeaveEvent): void {
    this.log.info(event, 'left for a switchover');
    this.#call('onLeave', event);
  }

  lost(event: LossEvent): void {
    this.log.warn(event, 'brokers of the site do not answer');
    this.#call('onLost', event);
  }

  found(event: LossEvent): void {
    this.log.info(event, 'brokers of the site answer again');
    this.#call('onFound', event);
  }

  failed(error: Error, what: string): void {
    this.log.warn({ group: this.group, why: errorMessage(error) }, what);
    this.#call('onError', error);
  }

  ended(error: MeshError): void {
    this.log.error({ group: this.group, code: error.code, why: error.message }, 'consumer ended');
  }

  /** undefined: nothing is waited for any more. */
  waiting(why: string | undefined): void {
    if (why === this.#waitingFor) return;
    this.#waitingFor = why;
    if (why === undefined) return;
    this.log.warn({ group: this.group }, why);
    this.#call('onWaiting', why);
  }

  #call<K extends keyof ConsumerHooks>(
    name: K,
    ...args: Parameters<NonNullable<ConsumerHooks[K]>>
  ): void {
    const hook = this.#hooks[name] as ((...given: typeof args) => unknown) | undefined;
    if (hook === undefined) return;
    const failed = (thrown: unknown): void => {
      this.log.error({ group: this.group, hook: name, why: errorMessage(thrown) }, 'hook failed');
    };
    try {
      Promise.resolve(hook.apply(this.#hooks, args)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
