/**
 * Requests that are not raw fetches or produces: finds the broker that has to answer, keeps one
 * connection per broker, opens it again when it broke.
 *
 * What a request meets on its way is retried here, and only here: a lost connection (once, over a
 * fresh one), and a coordinator that is loading or elsewhere (bounded).
 */
import { throwIfAborted } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import { isMeshError, MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { ApiRequest } from './api-request.ts';
import type { ClusterMetadata } from './cluster.ts';
import { isCoordinatorElsewhere } from './codes.ts';
import { refusal } from './convert-error.ts';
import { openWire, type ClusterSettings } from './open-wire.ts';
import { coordinatorRequest, metadataRequest } from './requests/metadata.ts';
import { RepeatedAnswer } from './repeated-answer.ts';
import type { Wire } from './wire.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

type CoordinatorKind = 'group' | 'transaction';

const attemptsMax = 12;
/** Over which transactions are spread, as a broker stores each step before it answers. */
const transactionLanes = 3;

export class Control implements AsyncDisposable {
  readonly settings: ClusterSettings;
  readonly deps: Deps;
  readonly #wires = new Map<string, Promise<Wire>>();
  readonly #coordinators = new Map<string, number>();
  readonly #allTopics = new RepeatedAnswer(metadataRequest());
  #brokers: ReadonlyMap<number, Address> = new Map();
  /** `host:port` of the broker that answered last what any of them could. */
  #lively = '';
  #isClosed = false;

  constructor(settings: ClusterSettings, deps: Deps) {
    this.settings = settings;
    this.deps = deps;
  }

  get name(): string {
    return this.settings.name;
  }

  async metadata(topics?: readonly string[], signal?: AbortSignal): Promise<ClusterMetadata> {
    if (signal !== undefined) throwIfAborted(signal);
    const metadata = await this.toAny(
      topics === undefined ? this.#allTopics.request : metadataRequest(topics),
    );
    if (metadata.brokers.size > 0) this.#brokers = metadata.brokers;
    return metadata;
  }

  /** Any broker: the one that answered last, then those known, then the bootstrap addresses. */
  async toAny<T>(request: ApiRequest<T>): Promise<T> {
    let last: unknown;
    const all = [...this.#brokers.values(), ...this.#bootstrap()];
    const byName = new Map(all.map((address) => [`${address.host}:${address.port}`, address]));
    for (const name of new Set([this.#lively, ...byName.keys()])) {
      const address = byName.get(name);
      if (address === undefined) continue;
      try {
        const answer = await this.#send(address, request);
        this.#lively = name;
        return answer;
      } catch (error) {
        if (!isMeshError(error, 'kafka_unavailable')) throw error;
        last = error;
      }
    }
    throw last;
  }

  /** @param lane of several connections to it, so that not all wait for each other */
  async toBroker<T>(brokerId: number, request: ApiRequest<T>, lane = 0): Promise<T> {
    return this.#send(await this.#address(brokerId), request, lane);
  }

  async eachBroker<T>(request: ApiRequest<T>): Promise<T[]> {
    if (this.#brokers.size === 0) await this.metadata([]);
    return Promise.all([...this.#brokers.keys()].map((id) => this.toBroker(id, request)));
  }

  /** The version of an API that some broker speaks; -1 when it does not know it. */
  async speaks(apiKey: number, version: number): Promise<boolean> {
    if (this.#brokers.size === 0) await this.metadata([]);
    const [address] = [...this.#brokers.values(), ...this.#bootstrap()];
    if (address === undefined) return false;
    return (await this.#wire(address)).speaks(apiKey, version);
  }

  /**
   * The coordinator of a group or a transactional id. While it loads or moves, which `codeOf` tells
   * from the answer, it is looked up and asked again, bounded.
   */
  async toCoordinator<T>(
    kind: CoordinatorKind,
    key: string,
    request: ApiRequest<T>,
    codeOf: (answer: T) => number,
    signal?: AbortSignal,
  ): Promise<T> {
    const backoff = new Backoff({ delayMsMin: 50, delayMsMax: 2_000 }, this.deps.clock);
    for (;;) {
      const name = `${kind}/${key}`;
      try {
        const brokerId = this.#coordinators.get(name) ?? (await this.#find(kind, key));
        const answer = await this.toBroker(brokerId, request, laneOf(kind, key));
        const code = codeOf(answer);
        if (!isCoordinatorElsewhere(code)) return answer;
        throw refusal(this.name, request.apiName, code);
      } catch (error) {
        this.#coordinators.delete(name);
        const isAgain = isMeshError(error, 'kafka_unavailable') && backoff.attempts < attemptsMax;
        if (!isAgain || this.#isClosed) throw error;
        await backoff.wait(signal);
      }
    }
  }

  /** A connection to that broker that nobody else uses; its owner closes it. */
  async openWire(brokerId: number): Promise<Wire> {
    return openWire(this.settings, await this.#address(brokerId), this.deps);
  }

  /** A connection of its own to the coordinator of a group. */
  async openCoordinatorWire(group: string): Promise<Wire> {
    return this.openWire(await this.#find('group', group));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const wires = [...this.#wires.values()];
    this.#wires.clear();
    for (const opening of wires) {
      const wire = await opening.catch(() => undefined);
      await wire?.[Symbol.asyncDispose]();
    }
  }

  async #find(kind: CoordinatorKind, key: string): Promise<number> {
    const request = coordinatorRequest(kind, key);
    const found = await this.toAny(request);
    if (found.errorCode !== 0) {
      throw refusal(this.name, request.apiName, found.errorCode, found.errorMessage);
    }
    this.#coordinators.set(`${kind}/${key}`, found.brokerId);
    return found.brokerId;
  }

  async #address(brokerId: number): Promise<Address> {
    if (!this.#brokers.has(brokerId)) await this.metadata([]);
    const found = this.#brokers.get(brokerId);
    if (found !== undefined) return found;
    throw new MeshError('kafka_unavailable', `broker ${brokerId} of ${this.name} is not known`);
  }

  #bootstrap(): Address[] {
    return this.settings.brokers.map((text) => {
      const at = text.lastIndexOf(':');
      return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
    });
  }

  async #send<T>(address: Address, request: ApiRequest<T>, lane = 0): Promise<T> {
    const wire = await this.#wire(address, lane);
    try {
      return await wire.request(request);
    } catch (error) {
      // A connection that stood idle may have been closed by the broker without our seeing it. One
      // that was silent would be so again.
      const isSilent = isMeshError(error) && error.details['isSilent'] === true;
      if (wire.isOpen || this.#isClosed || isSilent) throw error;
      return (await this.#wire(address, lane)).request(request);
    }
  }

  async #wire(address: Address, lane = 0): Promise<Wire> {
    if (this.#isClosed) throw new MeshError('aborted', `${this.name}: closed`);
    const key = `${address.host}:${address.port}/${lane}`;
    const known = this.#wires.get(key);
    const wire = await known?.catch(() => undefined);
    if (wire?.isOpen === true) return wire;
    if (this.#wires.get(key) === known) {
      this.#wires.set(key, openWire(this.settings, address, this.deps));
    }
    const opening = this.#wires.get(key);
    if (opening === undefined) throw new MeshError('aborted', `${this.name}: closed`);
    return opening;
  }
}

function laneOf(kind: CoordinatorKind, key: string): number {
  if (kind === 'group') return 0;
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) >>> 0;
  return hash % transactionLanes;
}
