/**
 * Taking over a target partition, before the first write to it: fence every older holder, then read
 * from the target's own log where copying stands.
 *
 * Invariants: our producer id is stored before anything is written with it; the position comes from
 * what is in the target, never from what somebody meant to write; a target that holds records which
 * are not ours is left alone; a loss is an error or an event with its range, never a silent gap.
 */
import { MeshError } from '../base/errors.ts';
import type { Fence, TopicMetadata } from '../kafka/cluster.ts';
import type { MapWriter } from '../offsets/map-book.ts';
import type { CopyKey, CopyRecord } from './copy-journal.ts';
import type { FlowContext } from './flow-context.ts';
import type { LinkShelf } from './link-shelf.ts';
import type { Unmapped } from './map-rebuild.ts';
import { readTail, recover, type Ends } from './recover.ts';
import type { Producer } from './send-window.ts';
import type { CopyTarget, PartitionState } from './status.ts';
import { TailReader } from './tail-reader.ts';

export interface Tenure {
  readonly producer: Producer;
  readonly map: MapWriter;
  readonly generation: number;
  /** Next source offset to copy. */
  readonly position: number;
  /** Offset that the next record written is expected to get. */
  readonly targetEnd: number;
  readonly batchBytesMax: number;
  readonly transactionalId: string;
  readonly reader: TailReader;
  /** Copies at the target that the map does not know: to be read back. */
  readonly unmapped: Unmapped | undefined;
}

export async function takeOver(
  id: CopyTarget,
  context: FlowContext,
  links: LinkShelf,
  onState: (state: PartitionState) => void,
  signal: AbortSignal,
): Promise<Tenure> {
  const key: CopyKey = { flow: context.settings.id, topic: id.topic, partition: id.partition };
  const ends = await readEnds(id, context);
  const lives = chooseLives(id, key, ends, context);
  onState('fencing');
  const { fence, record } = await fenceOthers(id, key, lives, context, signal);
  onState('recovering');
  const reader = new TailReader(
    context,
    links,
    { topic: id.remoteTopic, partition: id.partition },
    { ...key, site: context.settings.from, ...record, producerIds: new Set(record.producerIds) },
  );
  const map = context.maps.writer({ ...key, generation: record.generation });
  const marker = Number(fence.markerOffset);
  const isNew = context.journal.get(key) === undefined || lives.isNew;
  const recovery = { id, reader, map, record, marker, ends, isNew, signal };
  const recovered = recover(recovery, await readTail(recovery, key, context));
  map.setLogStarts({ source: ends.sourceStart, target: ends.targetStart });
  const position = checkSource(id, recovered.position, ends, context);
  return {
    producer: fence,
    map,
    generation: record.generation,
    position,
    targetEnd: marker + 1,
    batchBytesMax: context.limits.batchBytesMax(id.remoteTopic),
    transactionalId: transactionalIdOf(id, context),
    reader,
    unmapped: recovered.unmapped,
  };
}

async function readEnds(id: CopyTarget, context: FlowContext): Promise<Ends> {
  const { source, target } = context;
  const from = [{ topic: id.topic, partition: id.partition }];
  const to = [{ topic: id.remoteTopic, partition: id.partition }];
  const [sourceStart, sourceEnd, targetStart] = await Promise.all([
    source.cluster.listOffsets(from, 'earliest'),
    source.cluster.listOffsets(from, 'latest'),
    target.cluster.listOffsets(to, 'earliest'),
  ]);
  const value = (listed: typeof sourceStart, where: string): number => {
    const found = listed[0];
    if (found?.errorCode === 0) return Number(found.offset);
    throw new MeshError(
      'kafka_unavailable',
      `no offsets of ${where}/${id.partition}: Kafka error ${found?.errorCode ?? 'none'}`,
    );
  };
  return {
    sourceStart: value(sourceStart, `${id.topic} at ${context.settings.from}`),
    sourceEnd: value(sourceEnd, `${id.topic} at ${context.settings.from}`),
    targetStart: value(targetStart, `${id.remoteTopic} at ${context.settings.to}`),
  };
}

function topicOf(view: FlowContext['source'], name: string): TopicMetadata {
  const found = view.topic(name);
  if (found !== undefined) return found;
  throw new MeshError('kafka_unavailable', `topic ${name} is not there (any more)`);
}

/**
 * How many partitions the source topic had when it was first looked at: whatever was written to
 * those added since is new to the flow, wherever it starts.
 */
function firstPartitions(id: CopyTarget, sourceTopicId: string, context: FlowContext): number {
  const { partitions } = topicOf(context.source, id.topic);
  const known = partitions.flatMap(({ partition }) => {
    const key = { flow: context.settings.id, topic: id.topic, partition };
    const found = context.journal.get(key);
    return found?.sourceTopicId === sourceTopicId ? [found.partitionsAtStart ?? Infinity] : [];
  });
  return Math.min(partitions.length, ...known);
}

/** Which lives of the two topics belong together: the known ones, or a new generation by policy. */
function chooseLives(
  id: CopyTarget,
  key: CopyKey,
  ends: Ends,
  context: FlowContext,
): { record: CopyRecord; isNew: boolean } {
  const { settings, journal } = context;
  const sourceTopicId = topicOf(context.source, id.topic).topicId;
  const targetTopicId = topicOf(context.target, id.remoteTopic).topicId;
  const known = journal.get(key);
  if (known === undefined) {
    const partitionsAtStart = firstPartitions(id, sourceTopicId, context);
    const isAdded = id.partition >= partitionsAtStart;
    const isLatest = settings.start === 'latest' && !isAdded;
    const startOffset = BigInt(isLatest ? ends.sourceEnd : ends.sourceStart);
    const record = { generation: 1, producerIds: [], startOffset, partitionsAtStart };
    return { record: { ...record, sourceTopicId, targetTopicId }, isNew: true };
  }
  const isSourceNew = known.sourceTopicId !== sourceTopicId;
  const isTargetNew = known.targetTopicId !== targetTopicId;
  if (!isSourceNew && !isTargetNew) return { record: known, isNew: false };
  const kind = isSourceNew ? 'source_reset' : 'target_reset';
  const where = isSourceNew
    ? `${id.topic} at ${settings.from}`
    : `${id.remoteTopic} at ${settings.to}`;
  const text = `${where} was deleted and made again`;
  const policy = isSourceNew ? settings.onSourceReset : settings.onTargetReset;
  if (policy === 'pause') throw new MeshError(kind, text, { details: { ...key } });
  context.onEvent({ kind, ...key, text: `${text}: copied from its start, as a new generation` });
  const startOffset = BigInt(ends.sourceStart);
  const generation = known.generation + 1;
  return {
    record: { ...known, generation, startOffset, sourceTopicId, targetTopicId },
    isNew: true,
  };
}

/** One id a partition, so that no assignment can dodge the fence and no sick one blocks others. */
function transactionalIdOf(id: CopyTarget, { topology, settings }: FlowContext): string {
  return `causeway.${topology.mesh}.${settings.id}.${id.remoteTopic}.${id.partition}`;
}

async function fenceOthers(
  id: CopyTarget,
  key: CopyKey,
  lives: { record: CopyRecord; isNew: boolean },
  context: FlowContext,
  signal: AbortSignal,
): Promise<{ fence: Fence; record: CopyRecord }> {
  const { journal, target } = context;
  let record = lives.record;
  let mustStore = lives.isNew;
  const fence = await target.cluster.fence(
    {
      topic: id.remoteTopic,
      partition: id.partition,
      transactionalId: transactionalIdOf(id, context),
      onProducerId: async (producerId) => {
        if (!record.producerIds.includes(producerId)) {
          if (record.producerIds.length > 0) noteFenceChanged(id, key, context);
          record = { ...record, producerIds: [...record.producerIds, producerId] };
          mustStore = true;
        }
        if (mustStore) await journal.put(key, record);
        mustStore = false;
      },
    },
    signal,
  );
  return { fence, record };
}

function noteFenceChanged(id: CopyTarget, key: CopyKey, context: FlowContext): void {
  const text = `the producer id of ${id.remoteTopic}/${id.partition} changed: Kafka forgot the old one`;
  context.onEvent({ kind: 'fence_changed', ...key, text });
}

/** The source must still have the position: else the range that is lost is named. */
function checkSource(id: CopyTarget, position: number, ends: Ends, context: FlowContext): number {
  const { settings } = context;
  const where = `${id.topic}/${id.partition} at ${settings.from}`;
  const key = { flow: settings.id, topic: id.topic, partition: id.partition };
  if (position > ends.sourceEnd) {
    const text = `${where} ends at ${ends.sourceEnd}, before ${position} which was copied: truncated`;
    throw new MeshError('source_reset', text, { details: key });
  }
  if (position >= ends.sourceStart) return position;
  const text = `${where}: [${position}, ${ends.sourceStart}) left the log before it was copied`;
  if (settings.onSourceReset === 'pause') {
    throw new MeshError('source_reset', text, { details: key });
  }
  const range = { site: settings.from, from: BigInt(position), to: BigInt(ends.sourceStart) };
  context.onEvent({ kind: 'source_reset', ...key, text, range });
  return ends.sourceStart;
}
