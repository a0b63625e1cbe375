/**
 * What has happened at this site, as all its agents keep it in `__causeway-events`: written here,
 * and the last of it held in memory for whoever asks.
 */
import type { Deps } from '../base/deps.ts';
import { errorMessage } from '../base/errors.ts';
import type { EventKind } from '../base/event-kinds.ts';
import type { EventsRequest, MeshEvent } from '../client/event-shapes.ts';
import type { FlowEvent } from '../flow/flow-context.ts';
import type { GroupEvent } from '../groups/group-event.ts';
import type { FollowedRecord, StateLog } from '../kafka/state-records.ts';

/** About as many as a screen has lines, a hundred times over. */
const heldMax = 10_000;

export class EventBook {
  readonly #log: StateLog;
  readonly #deps: Deps;
  /** The oldest first. */
  #events: MeshEvent[] = [];

  constructor(log: StateLog, deps: Deps) {
    this.#log = log;
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const onRecords = (records: readonly FollowedRecord[]): void => this.#load(records);
    await this.#log.follow({ onRecords, onSynced: () => undefined }, signal);
  }

  list({ sinceMs = -Infinity, kinds, limit }: EventsRequest): readonly MeshEvent[] {
    const found = this.#events
      .slice(-heldMax)
      .filter(({ atMs, kind }) => atMs >= sinceMs && (kinds.length === 0 || kinds.includes(kind)));
    return limit > 0 ? found.slice(-limit) : found;
  }

  /** Logged at once; kept as soon as the site's Kafka takes it. */
  readonly note = (event: FlowEvent | GroupEvent): void => {
    const { clock, log } = this.#deps;
    const { flow, text } = event;
    const kind: EventKind = event.kind;
    const what = 'group' in event ? { group: event.group } : placeOf(event);
    const isGood = kind === 'failover' || kind === 'switchover' || kind === 'late_records';
    log[isGood ? 'info' : 'warn']({ kind, flow, ...what }, text);
    const value = JSON.stringify({ atMs: clock.nowMs(), ...event }, (_key, one: unknown) =>
      typeof one === 'bigint' ? one.toString() : one,
    );
    const key = Buffer.from([flow, ...Object.values(what)].join('/'));
    this.#log.append([{ key, value: Buffer.from(value) }]).catch((error: unknown) => {
      log.warn({ why: errorMessage(error) }, 'event not stored');
    });
  };

  #load(records: readonly FollowedRecord[]): void {
    for (const { value, offset } of records) {
      const event = value === null ? undefined : parseEvent(value);
      if (event !== undefined) this.#events.push(event);
      else this.#deps.log.debug({ topic: this.#log.topic, offset: Number(offset) }, 'no event');
    }
    // Cut now and then, not for each.
    if (this.#events.length > 2 * heldMax) this.#events = this.#events.slice(-heldMax);
  }
}

function placeOf({ topic, partition }: { topic: string; partition: number }): {
  readonly topic: string;
  readonly partition: number;
} {
  return { topic, partition };
}

/** undefined: it is none, of whatever version. */
function parseEvent(value: Buffer): MeshEvent | undefined {
  try {
    // Every field is checked before it is used.
    const fields = JSON.parse(value.toString('utf8')) as Record<string, unknown>;
    const { atMs, kind, flow, text, topic, partition, group, range } = fields;
    if (typeof atMs !== 'number' || typeof kind !== 'string' || typeof text !== 'string') {
      return undefined;
    }
    return {
      atMs,
      kind,
      flow: typeof flow === 'string' ? flow : '',
      topic: typeof topic === 'string' && topic !== '' ? topic : undefined,
      partition: typeof partition === 'number' && partition >= 0 ? partition : undefined,
      group: typeof group === 'string' ? group : undefined,
      text,
      range: range === undefined ? undefined : parseRange(range),
    };
  } catch {
    return undefined;
  }
}

function parseRange(value: unknown): MeshEvent['range'] {
  // What cannot be converted is no event.
  const { site, from, to } = value as Record<string, unknown>;
  return { site: String(site), from: BigInt(String(from)), to: BigInt(String(to)) };
}
