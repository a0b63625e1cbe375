/**
 * The gRPC services: each method converts, asks the agent, converts back. Decisions are not made
 * here.
 */
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Server,
  ServerWritableStream,
} from '@grpc/grpc-js';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';
import { LinkedAbort } from '../base/linked-abort.ts';
import * as controls from '../client/convert-controls.ts';
import * as events from '../client/convert-events.ts';
import * as groups from '../client/convert-groups.ts';
import { toHomeView } from '../client/convert-home.ts';
import * as convert from '../client/convert-status.ts';
import {
  CheckpointServiceService,
  type CheckpointServiceServer,
} from '../gen/causeway/v1/checkpoint.ts';
import { EventServiceService, type EventServiceServer } from '../gen/causeway/v1/event.ts';
import { FailoverServiceService, type FailoverServiceServer } from '../gen/causeway/v1/failover.ts';
import { FlowServiceService, type FlowServiceServer } from '../gen/causeway/v1/flow.ts';
import { TopologyServiceService, type TopologyServiceServer } from '../gen/causeway/v1/topology.ts';
import { flowOf, limitOf, placeOf, saidIn } from './flow-requests.ts';
import type { AgentPorts } from './ports.ts';
import { grpcStatus, toMeshError } from './status-code.ts';

export interface ServiceParts {
  readonly ports: AgentPorts;
  readonly deps: Deps;
  /** Fires when the server closes: streams end. */
  readonly signal: AbortSignal;
}

export function addServices(server: Server, parts: ServiceParts): void {
  server.addService(TopologyServiceService, topologyService(parts));
  server.addService(CheckpointServiceService, checkpointService(parts));
  server.addService(FailoverServiceService, failoverService(parts));
  server.addService(FlowServiceService, flowService(parts));
  server.addService(EventServiceService, eventService(parts));
}

export const serviceNames = [
  'causeway.v1.TopologyService',
  'causeway.v1.CheckpointService',
  'causeway.v1.FailoverService',
  'causeway.v1.FlowService',
  'causeway.v1.EventService',
];

function topologyService(parts: ServiceParts): TopologyServiceServer {
  const { ports } = parts;
  return {
    get: unary(parts, () => ({ topology: convert.toTopology(ports.topology()) })),
    watch: streaming(
      parts,
      (_request, signal) => ports.watchTopology(signal),
      (view) => ({
        topology: convert.toTopology(view),
      }),
    ),
    propose: unary(parts, async ({ source, proposedBy }) => ({
      topology: convert.toTopology(await ports.proposeTopology(source, proposedBy)),
    })),
  };
}

function checkpointService(parts: ServiceParts): CheckpointServiceServer {
  const { ports } = parts;
  return {
    translate: unary(parts, async ({ group, from, to, positions }) => ({
      translation: groups.toTranslation(
        await ports.translate({
          ...groupAndSites(group, from, to),
          positions: positions.map(({ topic, partition, offset }) => {
            if (offset !== undefined && offset >= 0n) return { topic, partition, offset };
            throw new MeshError('usage', `position of ${topic}/${partition}: wanted an offset`);
          }),
        }),
      ),
    })),
    listGroups: unary(parts, () => ({ groups: ports.listGroups().map(groups.toReadiness) })),
    watchGroups: streaming(
      parts,
      (_request, signal) => ports.watchGroups(signal),
      (updates) => ({
        updates: updates.map(groups.toGroupUpdate),
      }),
    ),
    watchOffsetMaps: streaming(
      parts,
      (_request, signal) => ports.watchMaps(signal),
      (updates) => ({
        updates: updates.map(groups.toMapUpdate),
      }),
    ),
  };
}

function failoverService(parts: ServiceParts): FailoverServiceServer {
  const { ports } = parts;
  return {
    plan: unary(parts, async ({ group, from, to, as, overwrite }) => ({
      plan: groups.toPlan(
        await ports.planFailover({ ...groupAndSites(group, from, to), as, overwrite }),
      ),
    })),
    execute: unary(parts, async ({ group, from, to, as, overwrite, planId, requestedBy }) => {
      const request = { ...groupAndSites(group, from, to), as, overwrite };
      return groups.toReport(await ports.executeFailover(request, planId, requestedBy));
    }),
    switchover: streaming(
      parts,
      ({ group, from, to, timeoutMs, ...request }, signal) =>
        ports.switchover(
          { ...request, ...groupAndSites(group, from, to), timeoutMs: timeoutOf(timeoutMs) },
          signal,
        ),
      groups.toSwitchoverStep,
    ),
    watchHome: streaming(
      parts,
      ({ group }, signal) => ports.watchHome(groupOf(group), signal),
      toHomeView,
    ),
  };
}

function flowService(parts: ServiceParts): FlowServiceServer {
  const { ports } = parts;
  return {
    status: unary(parts, () => convert.toStatus(ports.status())),
    pause: unary(parts, async (request) => {
      const { flow, place } = placeOf(request);
      const override = await ports.pauseFlow(flow, place, saidIn(request));
      return { override: controls.toOverride(override) };
    }),
    resume: unary(parts, async (request) => {
      const { flow, place } = placeOf(request);
      const removed = await ports.resumeFlow(flow, place, saidIn(request).by);
      return { removed: removed.map(controls.toOverride) };
    }),
    limit: unary(parts, async (request) => {
      const answer = await ports.limitFlow(flowOf(request.flow), limitOf(request), saidIn(request));
      return controls.toLimitAnswer(answer);
    }),
  };
}

function eventService(parts: ServiceParts): EventServiceServer {
  const { ports } = parts;
  return {
    list: unary(parts, (request) => ({
      events: ports.events(events.fromEventsRequest(request)).map(events.toEvent),
    })),
    listLate: unary(parts, () => ({ late: ports.listLate().map(events.toLate) })),
  };
}

/** @throws MeshError usage, saying what was found and what was wanted */
export function groupAndSites(
  group: string,
  from: string,
  to: string,
): { group: string; from: SiteName; to: SiteName } {
  return { group: groupOf(group), from: siteOf('from', from), to: siteOf('to', to) };
}

function groupOf(text: string): string {
  if (text !== '') return text;
  throw new MeshError('usage', 'group: found nothing, wanted a group id');
}

function timeoutOf(ms: bigint): number {
  if (ms > 0n && ms <= 86_400_000n) return Number(ms);
  throw new MeshError('usage', `timeout_ms: found ${ms}, wanted 1 to 86400000`);
}

function siteOf(name: string, text: string): SiteName {
  if (isSiteName(text)) return text;
  throw new MeshError('usage', `${name}: found ${JSON.stringify(text)}, wanted the name of a site`);
}

function unary<Q, R>(
  { deps }: ServiceParts,
  answer: (request: Q) => R | Promise<R>,
): handleUnaryCall<Q, R> {
  return (call, callback) => {
    // In a promise, so that what is thrown at once is answered like what is thrown later.
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(grpcStatus(toMeshError(error, deps))),
      );
  };
}

function streaming<Q, T, R>(
  { deps, signal }: ServiceParts,
  watch: (request: Q, signal: AbortSignal) => AsyncIterable<T>,
  message: (value: T) => R,
): handleServerStreamingCall<Q, R> {
  return (call) => {
    const cancelled = new LinkedAbort(signal);
    call.on('cancelled', () => cancelled.abort());
    call.on('error', () => cancelled.abort());
    const stop = cancelled.signal;
    pour(watch(call.request, stop), call, message, stop)
      .then(
        () => call.end(),
        (error: unknown) => {
          if (!stop.aborted) call.emit('error', grpcStatus(toMeshError(error, deps)));
          else call.end();
        },
      )
      .finally(() => cancelled[Symbol.dispose]());
  };
}

/** Waits whenever the stream is full: the source keeps only the latest meanwhile. */
async function pour<Q, T, R>(
  source: AsyncIterable<T>,
  call: ServerWritableStream<Q, R>,
  message: (value: T) => R,
  stop: AbortSignal,
): Promise<void> {
  for await (const value of source) {
    if (stop.aborted) return;
    if (!call.write(message(value))) await drained(call, stop);
  }
}

async function drained<Q, R>(call: ServerWritableStream<Q, R>, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      call.off('drain', done);
      stop.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    stop.addEventListener('abort', done, { once: true });
  });
}
