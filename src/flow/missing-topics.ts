/**
 * Topics that were carried and are in the source's metadata no more. One that may not be seen is
 * left out there like one that is not there: it stays carried, so that its partitions say what they
 * lack, and go on when they get it back. One that was deleted is carried no longer, and what of it
 * was never copied is told.
 */
import type { ClusterView } from './cluster-view.ts';
import type { FlowContext } from './flow-context.ts';
import type { PartitionCopy } from './partition-copy.ts';
import type { CarriedTopic } from './topic-upkeep.ts';

const unknownTopic = 3;

export async function keepHidden(
  context: FlowContext,
  before: readonly CarriedTopic[],
  now: readonly CarriedTopic[],
  copies: readonly PartitionCopy[],
): Promise<readonly CarriedTopic[]> {
  if (before === now) return now;
  const found = new Map(now.map((one) => [one.topic, one]));
  const kept = new Map<string, CarriedTopic>();
  for (const carried of before) {
    const { topic, remoteTopic, partitions } = carried;
    const current = found.get(topic);
    if (current === undefined && context.source.topic(topic) === undefined) {
      if (await isHidden(context.source, topic)) kept.set(topic, carried);
      else tellDeleted(context, topic, copies);
    } else if (current?.partitions === 0 && context.target.topic(remoteTopic) === undefined) {
      const isKept = await isHidden(context.target, remoteTopic);
      if (isKept) kept.set(topic, { ...current, partitions });
    }
  }
  return kept.size === 0 ? now : [...new Map([...found, ...kept]).values()];
}

async function isHidden({ cluster }: ClusterView, topic: string): Promise<boolean> {
  const code = await cluster.topicError(topic);
  return code !== 0 && code !== unknownTopic;
}

function tellDeleted(
  { deps, settings }: FlowContext,
  topic: string,
  copies: readonly PartitionCopy[],
): void {
  deps.log.info({ flow: settings.id, topic }, 'deleted at the source');
  for (const copy of copies) if (copy.id.topic === topic) copy.tellDeleted();
}
