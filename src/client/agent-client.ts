/**
 * Calls to one agent. Every call has a deadline; a stream ends with an error when the agent goes
 * silent (keepalive), and a connection that hangs is given up: whoever owns the client makes
 * another.
 */
import {
  credentials,
  Metadata,
  type CallOptions,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { abortedError } from '../base/clock.ts';
import type { Deps } from '../base/deps.ts';
import type * as wire from '../gen/causeway/v1/checkpoint.ts';
import { CheckpointServiceClient } from '../gen/causeway/v1/checkpoint.ts';
import type * as eventWire from '../gen/causeway/v1/event.ts';
import { EventServiceClient } from '../gen/causeway/v1/event.ts';
import type * as failoverWire from '../gen/causeway/v1/failover.ts';
import { FailoverServiceClient } from '../gen/causeway/v1/failover.ts';
import type * as flowWire from '../gen/causeway/v1/flow.ts';
import { FlowServiceClient } from '../gen/causeway/v1/flow.ts';
import type * as topologyWire from '../gen/causeway/v1/topology.ts';
import { TopologyServiceClient } from '../gen/causeway/v1/topology.ts';
import type * as answer from '../groups/answer.ts';
import type {
  FailoverRequest,
  GroupUpdate,
  SwitchoverRequest,
  SwitchoverStep,
  TranslateRequest,
} from '../groups/updates.ts';
import type { LateStretch } from '../groups/stored-late.ts';
import type { HomeView } from '../groups/watch-home.ts';
import type { FlowPlace, PauseOverride, Said } from '../flow/overrides.ts';
import type {
  FlowLimit,
  LimitAnswer,
  MapUpdate,
  MeshStatus,
  TopologyView,
} from './agent-shapes.ts';
import type { EventsRequest, MeshEvent } from './event-shapes.ts';
import { callError } from './call-error.ts';
import { channelOptions, connect } from './connect.ts';
import * as controls from './convert-controls.ts';
import * as events from './convert-events.ts';
import { fromHomeView } from './convert-home.ts';
import * as groups from './convert-groups.ts';
import * as convert from './convert-status.ts';

export interface AgentClientOptions {
  /** `host:port` of the agent's gRPC. */
  readonly address: string;
  /** For each call that is answered once; 10,000 unless told. */
  readonly timeoutMs?: number;
}

const connectTimeoutMs = 10_000;
/** What is stored and committed first may take slow brokers so much longer than a question. */
const executeMoreMs = 30_000;

type Unary<Q, R> = (
  request: Q,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response: R) => void,
) => { cancel(): void };

export function openAgentClient(
  options: AgentClientOptions,
  deps: Pick<Deps, 'clock'>,
): AgentClient {
  return new AgentClient(options, deps);
}

export class AgentClient implements AsyncDisposable {
  readonly address: string;
  readonly #clock: Deps['clock'];
  readonly #timeoutMs: number;
  readonly #topology: TopologyServiceClient;
  readonly #checkpoint: CheckpointServiceClient;
  readonly #failover: FailoverServiceClient;
  readonly #flow: FlowServiceClient;
  readonly #events: EventServiceClient;

  constructor(options: AgentClientOptions, { clock }: Pick<Deps, 'clock'>) {
    const { address, timeoutMs = 10_000 } = options;
    this.address = address;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    const open = credentials.createInsecure();
    this.#topology = new TopologyServiceClient(address, open, channelOptions);
    const shared = { ...channelOptions, channelOverride: this.#topology.getChannel() };
    this.#checkpoint = new CheckpointServiceClient(address, open, shared);
    this.#failover = new FailoverServiceClient(address, open, shared);
    this.#flow = new FlowServiceClient(address, open, shared);
    this.#events = new EventServiceClient(address, open, shared);
  }

  /** @throws MeshError peer_unavailable when it is refused, or not made within the time */
  async waitForReady(timeoutMs = connectTimeoutMs): Promise<void> {
    try {
      await connect(this.#topology, this.#clock.nowMs() + timeoutMs);
    } catch (error) {
      throw callError(this.address, 'connecting', error);
    }
  }

  async status(signal?: AbortSignal): Promise<MeshStatus> {
    const call = this.#unary<flowWire.StatusRequest, flowWire.StatusResponse>(
      'status',
      (q, m, o, done) => this.#flow.status(q, m, o, done),
    );
    return convert.fromStatus(await call({}, signal));
  }

  async topology(signal?: AbortSignal): Promise<TopologyView> {
    const call = this.#unary<topologyWire.GetRequest, topologyWire.GetResponse>(
      'topology',
      (q, m, o, done) => this.#topology.get(q, m, o, done),
    );
    return convert.fromTopology((await call({}, signal)).topology);
  }

  async proposeTopology(source: string, proposedBy: string): Promise<TopologyView> {
    const call = this.#unary<topologyWire.ProposeRequest, topologyWire.ProposeResponse>(
      'propose',
      (q, m, o, done) => this.#topology.propose(q, m, o, done),
    );
    return convert.fromTopology((await call({ source, proposedBy })).topology);
  }

  async translate(request: TranslateRequest): Promise<answer.TranslateAnswer> {
    const call = this.#unary<wire.TranslateRequest, wire.TranslateResponse>(
      'translate',
      (q, m, o, done) => this.#checkpoint.translate(q, m, o, done),
    );
    const positions = request.positions.map((one) => ({ ...one }));
    return groups.fromTranslation((await call({ ...request, positions })).translation);
  }

  async listGroups(): Promise<readonly answer.GroupReadiness[]> {
    const call = this.#unary<wire.ListGroupsRequest, wire.ListGroupsResponse>(
      'list groups',
      (q, m, o, done) => this.#checkpoint.listGroups(q, m, o, done),
    );
    return (await call({})).groups.map(groups.fromReadiness);
  }

  async planFailover(request: FailoverRequest): Promise<answer.FailoverPlan> {
    const call = this.#unary<failoverWire.PlanRequest, failoverWire.PlanResponse>(
      'failover plan',
      (q, m, o, done) => this.#failover.plan(q, m, o, done),
    );
    return groups.fromPlan((await call({ ...request })).plan);
  }

  async executeFailover(
    request: FailoverRequest,
    planId: string | undefined,
    requestedBy: string,
  ): Promise<answer.FailoverReport> {
    const call = this.#unary<failoverWire.ExecuteRequest, failoverWire.ExecuteResponse>(
      'failover',
      (q, m, o, done) => this.#failover.execute(q, m, o, done),
      this.#timeoutMs + executeMoreMs,
    );
    return groups.fromReport(await call({ ...request, planId, requestedBy }));
  }

  async listEvents(request: EventsRequest): Promise<readonly MeshEvent[]> {
    const call = this.#unary<eventWire.ListRequest, eventWire.ListResponse>(
      'events',
      (q, m, o, done) => this.#events.list(q, m, o, done),
    );
    return (await call(events.toEventsRequest(request))).events.map(events.fromEvent);
  }

  async listLate(): Promise<readonly LateStretch[]> {
    const call = this.#unary<eventWire.ListLateRequest, eventWire.ListLateResponse>(
      'late records',
      (q, m, o, done) => this.#events.listLate(q, m, o, done),
    );
    return (await call({})).late.map(events.fromLate);
  }

  /** What is waited for, as it changes, then the report. Ends on abort: called off. */
  async *switchover(
    request: SwitchoverRequest,
    signal: AbortSignal,
  ): AsyncIterable<SwitchoverStep> {
    const stream = this.#failover.switchover({ ...request, timeoutMs: BigInt(request.timeoutMs) });
    for await (const message of this.#stream('switchover', stream, signal)) {
      const step = groups.fromSwitchoverStep(message);
      if (step !== undefined) yield step;
    }
  }

  async *watchHome(group: string, signal: AbortSignal): AsyncIterable<HomeView> {
    const stream = this.#failover.watchHome({ group });
    for await (const view of this.#stream('home', stream, signal)) yield fromHomeView(view);
  }

  async pauseFlow(place: FlowPlace, said: Omit<Said, 'atMs'>): Promise<PauseOverride> {
    const call = this.#unary<flowWire.PauseRequest, flowWire.PauseResponse>(
      'pause',
      (q, m, o, done) => this.#flow.pause(q, m, o, done),
    );
    return controls.fromPause((await call({ ...place, ...controls.toSaid(said) })).override);
  }

  /** Returns the pauses that were taken back. */
  async resumeFlow(place: FlowPlace, requestedBy: string): Promise<readonly PauseOverride[]> {
    const call = this.#unary<flowWire.ResumeRequest, flowWire.ResumeResponse>(
      'resume',
      (q, m, o, done) => this.#flow.resume(q, m, o, done),
    );
    return (await call({ ...place, requestedBy })).removed.map(controls.fromPause);
  }

  async limitFlow(flow: string, limit: FlowLimit, said: Omit<Said, 'atMs'>): Promise<LimitAnswer> {
    const call = this.#unary<flowWire.LimitRequest, flowWire.LimitResponse>(
      'limit',
      (q, m, o, done) => this.#flow.limit(q, m, o, done),
    );
    const request = { flow, limit: controls.toLimit(limit), ...controls.toSaid(said) };
    return controls.fromLimitAnswer(await call(request));
  }

  async *watchTopology(signal: AbortSignal): AsyncIterable<TopologyView> {
    const stream = this.#topology.watch({});
    for await (const { topology } of this.#stream('topology', stream, signal)) {
      yield convert.fromTopology(topology);
    }
  }

  async *watchGroups(signal: AbortSignal): AsyncIterable<readonly GroupUpdate[]> {
    const stream = this.#checkpoint.watchGroups({});
    for await (const { updates } of this.#stream('groups', stream, signal)) {
      yield updates.map(groups.fromGroupUpdate).filter((update) => update !== undefined);
    }
  }

  async *watchMaps(signal: AbortSignal): AsyncIterable<readonly MapUpdate[]> {
    const stream = this.#checkpoint.watchOffsetMaps({});
    for await (const { updates } of this.#stream('offset maps', stream, signal)) {
      yield updates.map(groups.fromMapUpdate).filter((update) => update !== undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#checkpoint.close();
    for (const client of [this.#failover, this.#flow, this.#events, this.#topology]) client.close();
    await Promise.resolve();
  }

  #unary<Q, R>(
    what: string,
    ask: Unary<Q, R>,
    timeoutMs = this.#timeoutMs,
  ): (request: Q, signal?: AbortSignal) => Promise<R> {
    return (request, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(abortedError(signal));
          return;
        }
        const deadline = this.#clock.nowMs() + timeoutMs;
        const done = (error: ServiceError | null, response: R): void => {
          signal?.removeEventListener('abort', onAbort);
          if (error === null) resolve(response);
          else reject(callError(this.address, what, error));
        };
        const call = ask(request, new Metadata(), { deadline }, done);
        const onAbort = (): void => call.cancel();
        signal?.addEventListener('abort', onAbort, { once: true });
      });
  }

  async *#stream<T>(
    what: string,
    stream: ClientReadableStream<T>,
    signal: AbortSignal,
  ): AsyncIterable<T> {
    const onAbort = (): void => stream.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      // A stream of objects of the type that the generated code decodes to.
      for await (const message of stream) yield message as T;
    } catch (error) {
      if (signal.aborted) return;
      throw callError(this.address, what, error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.cancel();
    }
  }
}
