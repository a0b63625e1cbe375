/**
 * Sends the stamped batches of one flow to the leaders of the target: one connection per broker, up
 * to five requests unanswered on it, at most one batch of a partition in each.
 *
 * Invariant: a partition is never sent to two brokers at once: after its leader moved, it waits
 * until the old one has answered, or its connection is gone.
 */
import { errorMessage } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { BrokerLink, ProducedPartition } from '../kafka/cluster.ts';
import type { FlowContext } from './flow-context.ts';
import type { PartitionCopy } from './partition-copy.ts';
import type { Pending, SendWindow } from './send-window.ts';

const requestsMax = 5;
const requestBytesMax = 4 * 1024 * 1024;
const repeatDelayMs = 200;
/** How long a former leader may leave what it was sent unanswered. */
const silenceMsMax = 3_000;

interface Sent {
  readonly copy: PartitionCopy;
  readonly window: SendWindow;
  readonly pending: Pending;
}

interface Broker {
  readonly id: number;
  readonly ready: Set<PartitionCopy>;
  readonly backoff: Backoff;
  link: BrokerLink | undefined;
  opening: boolean;
  requests: number;
  /** Answers so far: a broker that gives none does not live, or is frozen. */
  answers: number;
  /** Its silence is being timed. */
  isDoubted: boolean;
}

export class TargetWriter implements AsyncDisposable {
  readonly #context: FlowContext;
  readonly #brokers = new Map<number, Broker>();
  /** Where each partition was last sent to. */
  readonly #sentTo = new Map<PartitionCopy, number>();
  readonly #onDrained: () => void;
  #isClosed = false;
  #why: string | undefined;

  constructor(context: FlowContext, onDrained: () => void) {
    this.#context = context;
    this.#onDrained = onDrained;
  }

  /** Why the target does not take records; undefined while it does. */
  get why(): string | undefined {
    return this.#why;
  }

  /** The partition has something to send, or may go on. */
  kick(copy: PartitionCopy): void {
    const broker = this.#line(copy);
    if (broker !== undefined) this.#pump(broker);
  }

  forget(copy: PartitionCopy): void {
    this.#sentTo.delete(copy);
    for (const broker of this.#brokers.values()) broker.ready.delete(copy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const broker of this.#brokers.values()) await broker.link?.[Symbol.asyncDispose]();
    this.#brokers.clear();
  }

  /** Lines the partition up at its leader's; undefined when it has none, or has to wait. */
  #line(copy: PartitionCopy): Broker | undefined {
    const { window } = copy;
    if (this.#isClosed || window === undefined) return undefined;
    const { remoteTopic, partition } = copy.id;
    const leader = this.#context.target.leader(remoteTopic, partition);
    if (leader === undefined) {
      this.#context.target.invalidate();
      this.kickLater(copy);
      return undefined;
    }
    const sentTo = this.#sentTo.get(copy);
    if (window.outstanding > 0 && sentTo !== undefined && sentTo !== leader) {
      // Kicked by its answer.
      this.#giveUpLater(sentTo);
      return undefined;
    }
    const broker = this.#broker(leader);
    broker.ready.add(copy);
    return broker;
  }

  #broker(id: number): Broker {
    const known = this.#brokers.get(id);
    if (known !== undefined) return known;
    const backoff = new Backoff({ delayMsMin: 100, delayMsMax: 5_000 }, this.#context.deps.clock);
    const made = { id, ready: new Set<PartitionCopy>(), backoff, link: undefined, opening: false };
    const broker: Broker = { ...made, requests: 0, answers: 0, isDoubted: false };
    this.#brokers.set(id, broker);
    return broker;
  }

  #pump(broker: Broker): void {
    if (this.#isClosed || broker.opening) return;
    const link = broker.link;
    if (link?.isOpen !== true) {
      if (broker.ready.size > 0) void this.#open(broker);
      return;
    }
    while (broker.requests < requestsMax) {
      const sent = this.#collect(broker, link);
      if (sent.length === 0) return;
      broker.requests += 1;
      void this.#send(broker, link, sent);
    }
  }

  #collect(broker: Broker, link: BrokerLink): Sent[] {
    const sent: Sent[] = [];
    let bytes = 0;
    for (const copy of broker.ready) {
      // Taken out, and put back at the end if there may be more: partitions take turns.
      broker.ready.delete(copy);
      const window = copy.window;
      // Kicked again when it is known.
      if (window?.isEmpty !== false || !copy.mayWriteTo(link)) continue;
      const pending = window.next();
      if (pending === undefined) continue;
      this.#sentTo.set(copy, broker.id);
      sent.push({ copy, window, pending });
      bytes += pending.batch.bytes.length;
      if (bytes >= requestBytesMax) break;
    }
    for (const { copy } of sent) broker.ready.add(copy);
    return sent;
  }

  async #send(broker: Broker, link: BrokerLink, sent: readonly Sent[]): Promise<void> {
    let answers: readonly ProducedPartition[] | undefined;
    try {
      answers = await link.produce({
        batches: sent.map(({ copy, pending }) => ({
          topic: copy.id.remoteTopic,
          partition: copy.id.partition,
          batch: pending.batch.bytes,
          ...(copy.targetTopicId === undefined ? {} : { topicId: copy.targetTopicId }),
        })),
        timeoutMs: this.#context.timings.produceTimeoutMs,
      });
      broker.answers += 1;
      this.#why = undefined;
    } catch (error) {
      this.#note(broker, error);
    }
    broker.requests -= 1;
    const byPartition = new Map(answers?.map((one) => [`${one.topic}/${one.partition}`, one]));
    // All are lined up before anything is sent: what goes to one broker shares its requests.
    const leaders = new Set([broker]);
    for (const { copy, window, pending } of sent) {
      const { remoteTopic, partition } = copy.id;
      copy.onProduced(window, pending, byPartition.get(`${remoteTopic}/${partition}`));
      if (window.isBroken) continue;
      if (!window.mustRepeat) leaders.add(this.#line(copy) ?? broker);
      else if (window.outstanding === 0) this.#repeatLater(copy, window);
    }
    this.#onDrained();
    for (const leader of leaders) this.#pump(leader);
  }

  async #open(broker: Broker): Promise<void> {
    broker.opening = true;
    try {
      broker.link = await this.#context.target.cluster.openLink(broker.id, 'produce');
      broker.backoff.reset();
    } catch (error) {
      this.#note(broker, error);
      this.#context.target.invalidate();
      await this.#context.deps.clock.sleep(broker.backoff.nextDelayMs());
    }
    broker.opening = false;
    if (this.#isClosed) {
      await broker.link?.[Symbol.asyncDispose]();
      return;
    }
    // The leaders may have moved meanwhile: each partition finds its own again.
    const waiting = [...broker.ready];
    broker.ready.clear();
    for (const copy of waiting) this.kick(copy);
  }

  /**
   * What a broker has not answered that leads no more is sent to the new leader: it may still take
   * it in, and never commit it. Only its silence is waited for.
   */
  #giveUpLater(brokerId: number): void {
    const broker = this.#broker(brokerId);
    const { link, answers } = broker;
    if (broker.isDoubted) return;
    broker.isDoubted = true;
    this.#context.deps.clock.after(silenceMsMax, () => {
      broker.isDoubted = false;
      const isSilent = broker.link === link && broker.answers === answers;
      if (isSilent && link?.isOpen === true) void link[Symbol.asyncDispose]();
    });
  }

  #note(broker: Broker, error: unknown): void {
    const why = errorMessage(error);
    if (this.#why === undefined) {
      const { deps, settings } = this.#context;
      deps.log.warn({ flow: settings.id, broker: broker.id, why }, 'produce failed');
    }
    this.#why = why;
  }

  #repeatLater(copy: PartitionCopy, window: SendWindow): void {
    this.#context.deps.clock.after(repeatDelayMs, () => {
      if (this.#isClosed || window.isBroken) return;
      window.repeat();
      this.kick(copy);
    });
  }

  kickLater(copy: PartitionCopy): void {
    this.#context.deps.clock.after(repeatDelayMs, () => this.kick(copy));
  }
}
