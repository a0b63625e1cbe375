/** Where the two logs of a partition begin and end, as their leaders say at a takeover. */
import { MeshError } from '../base/errors.ts';
import type { TopicMetadata } from '../kafka/cluster.ts';
import { refusal } from '../kafka/convert-error.ts';
import type { ClusterView } from './cluster-view.ts';
import type { FlowContext } from './flow-context.ts';
import type { CopyTarget } from './status.ts';

export interface LogEnds {
  readonly sourceStart: number;
  readonly sourceEnd: number;
  readonly targetStart: number;
  readonly targetEnd: number;
}

/** @throws MeshError kafka_unavailable, kafka_authorization */
export async function readEnds(id: CopyTarget, context: FlowContext): Promise<LogEnds> {
  const { source, target } = context;
  const [sourceStart, sourceEnd, targetStart, targetEnd] = await Promise.all([
    readEnd(source, id.topic, id.partition, 'starts'),
    readEnd(source, id.topic, id.partition, 'ends'),
    readEnd(target, id.remoteTopic, id.partition, 'starts'),
    readEnd(target, id.remoteTopic, id.partition, 'ends'),
  ]);
  return { sourceStart, sourceEnd, targetStart, targetEnd };
}

export function readSourceEnd(
  topic: string,
  partition: number,
  context: FlowContext,
): Promise<number> {
  return readEnd(context.source, topic, partition, 'ends');
}

export function readTargetEnd(id: CopyTarget, context: FlowContext): Promise<number> {
  return readEnd(context.target, id.remoteTopic, id.partition, 'ends');
}

async function readEnd(
  view: ClusterView,
  topic: string,
  partition: number,
  which: 'starts' | 'ends',
): Promise<number> {
  const found = await view[which].ask({ topic, partition });
  if (found?.errorCode === 0) return Number(found.offset);
  throw refusal(view.cluster.name, `offsets of ${topic}/${partition}`, found?.errorCode ?? -1);
}

/**
 * A topic that may not be seen is left out of the metadata, like one that is not there: asked for
 * by name, the broker says which.
 * @throws MeshError kafka_authorization, kafka_unavailable
 */
export async function topicOf(view: ClusterView, name: string): Promise<TopicMetadata> {
  const found = view.topic(name);
  if (found !== undefined) return found;
  const code = await view.cluster.topicError(name);
  if (code !== 0 && code !== 3) throw refusal(view.cluster.name, `topic ${name}`, code);
  view.invalidate();
  const text = `topic ${name} is not there (any more) at ${view.cluster.name}`;
  throw new MeshError('kafka_unavailable', text);
}
