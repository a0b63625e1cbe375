/** Requests that change flows, as they came: checked here, so that the agent need not. */
import { MeshError } from '../base/errors.ts';
import { flowId, parseFlowId, type FlowId } from '../base/ids.ts';
import type { FlowLimit } from '../client/agent-shapes.ts';
import { number } from '../client/convert-controls.ts';
import type { FlowPlace, Said } from '../flow/overrides.ts';
import type { LimitRequest, PauseRequest, ResumeRequest } from '../gen/causeway/v1/flow.ts';

function usage(name: string, found: unknown, wanted: string): MeshError {
  const text = typeof found === 'string' ? JSON.stringify(found) : String(found);
  return new MeshError('usage', `${name}: found ${text}, wanted ${wanted}`);
}

export function flowOf(text: string): FlowId {
  const found = parseFlowId(text);
  if (found !== undefined) return flowId(found.from, found.to);
  throw usage('flow', text, 'a flow such as east->west');
}

export function placeOf(request: PauseRequest | ResumeRequest): { flow: FlowId; place: FlowPlace } {
  const { topic, partition } = request;
  const flow = flowOf(request.flow);
  if (topic === '') throw usage('topic', topic, 'the name of a topic, or none at all');
  if (partition !== undefined && topic === undefined) {
    throw usage('partition', partition, 'a topic with it');
  }
  if (partition !== undefined && partition < 0)
    throw usage('partition', partition, 'one from 0 on');
  return { flow, place: { flow, topic, partition } };
}

/** Who asks, and why; who it was must be said. */
export function saidIn(
  request: { requestedBy: string } & Partial<Pick<PauseRequest, 'why' | 'untilMs'>>,
): Omit<Said, 'atMs'> {
  const { requestedBy, why = '', untilMs } = request;
  if (requestedBy === '') throw usage('requested_by', 'nothing', 'the name of who asks');
  return { by: requestedBy, why, untilMs: number(untilMs) };
}

export function limitOf({ limit }: LimitRequest): FlowLimit {
  if (limit === undefined)
    throw usage('limit', 'none', 'bytes_per_second, unlimited or as_in_file');
  if (limit.$case !== 'bytesPerSecond') {
    if (!limit.value) throw usage(limit.$case, false, 'true, or another limit');
    return limit.$case === 'asInFile' ? 'file' : { bytesPerSecond: undefined };
  }
  const bytesPerSecond = Number(limit.value);
  if (Number.isSafeInteger(bytesPerSecond) && bytesPerSecond > 0) return { bytesPerSecond };
  throw usage('bytes_per_second', limit.value, 'a number from 1 on');
}
