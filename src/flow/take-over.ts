/**
 * Taking over a target partition, before the first write to it: fence every older holder, then read
 * from the target's own log where copying stands.
 *
 * Invariants: our producer id is stored before anything is written with it; the position comes from
 * what is in the target, never from what somebody meant to write; a target that holds records which
 * are not ours is left alone; a loss is an error or an event with its range, never a silent gap.
 */
import { MeshError } from '../base/errors.ts';
import type { Fence } from '../kafka/cluster.ts';
import type { MapWriter } from '../offsets/map-book.ts';
import { chooseLives, nextLife, type Lives } from './choose-lives.ts';
import type { CopyKey, CopyRecord } from './copy-journal.ts';
import type { FlowContext } from './flow-context.ts';
import type { LeaderLogs } from './leader-logs.ts';
import type { LinkShelf } from './link-shelf.ts';
import { readEnds, topicOf, type LogEnds } from './log-ends.ts';
import type { Unmapped } from './map-rebuild.ts';
import type { Resets } from './resets.ts';
import type { Producer } from './send-window.ts';
import { checkSource, type SourceAnswer } from './source-check.ts';
import type { CopyTarget, PartitionState } from './status.ts';
import { readTail, recover, recoverCut, type Recovery } from './recover.ts';
import { TailReader } from './tail-reader.ts';
import { findCut, isCut } from './target-check.ts';

export interface Tenure {
  readonly producer: Producer;
  readonly map: MapWriter;
  readonly generation: number;
  /** The lives of both topics that belong together. */
  readonly sourceTopicId: string;
  readonly targetTopicId: string;
  /** Leader epochs in which the logs were found to be the ones that copying knows. */
  readonly sourceEpoch: number;
  readonly targetEpoch: number;
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

export interface TakeOverParts {
  readonly targetLinks: LinkShelf;
  readonly sourceLogs: LeaderLogs;
  readonly resets: Resets;
}

/** What each step works on. */
interface Work {
  readonly id: CopyTarget;
  readonly key: CopyKey;
  readonly context: FlowContext;
  readonly parts: TakeOverParts;
  readonly ends: LogEnds;
  readonly signal: AbortSignal;
}

export async function takeOver(
  id: CopyTarget,
  context: FlowContext,
  parts: TakeOverParts,
  onState: (state: PartitionState) => void,
  signal: AbortSignal,
): Promise<Tenure> {
  const key: CopyKey = { flow: context.settings.id, topic: id.topic, partition: id.partition };
  const topicIds = {
    source: (await topicOf(context.source, id.topic)).topicId,
    target: (await topicOf(context.target, id.remoteTopic)).topicId,
  };
  const ends = await readEnds(id, context);
  const work: Work = { id, key, context, parts, ends, signal };
  const chosen = chooseLives(key, topicIds, ends, context, parts.resets);
  // A reset that pauses is found before the fence: its marker makes the target longer.
  const { lives, wasCut } = await checkLogs(work, chosen);
  onState('fencing');
  const { fence, record } = await fenceOthers(work, lives);
  onState('recovering');
  const reader = tailReader(work, record);
  const map = context.maps.writer({ ...key, generation: record.generation });
  const marker = Number(fence.markerOffset);
  const recovery: Recovery = { ...work, resets: parts.resets, reader, map, record, marker, lives };
  const recovered = wasCut
    ? await recoverCut(recovery)
    : recover(recovery, await readTail(recovery));
  map.setLogStarts({ source: ends.sourceStart, target: ends.targetStart });
  const source = await askSource(work, record, recovered.position);
  if (source.isNewLife) {
    await context.journal.put(key, nextLife(record, source.position));
    throw new MeshError('fenced', `${id.topic}/${id.partition}: a new life of it begins`);
  }
  return {
    producer: fence,
    map,
    generation: record.generation,
    sourceTopicId: record.sourceTopicId,
    targetTopicId: record.targetTopicId,
    sourceEpoch: source.leaderEpoch,
    targetEpoch: fence.leaderEpoch,
    position: source.position,
    targetEnd: marker + 1,
    batchBytesMax: context.limits.batchBytesMax(id.remoteTopic),
    transactionalId: transactionalIdOf(id, context),
    reader,
    unmapped: recovered.unmapped,
  };
}

/** Both logs, as far as the map tells where copying stood. */
async function checkLogs(
  work: Work,
  lives: Lives,
): Promise<{ readonly lives: Lives; readonly wasCut: boolean }> {
  const { context, key, parts } = work;
  const { record } = lives;
  if (lives.isNew) return { lives, wasCut: false };
  const map = context.maps.writer({ ...key, generation: record.generation });
  if (map.scannedEnd === undefined) return { lives, wasCut: false };
  const reader = tailReader(work, record);
  const target = { ...work, reader, map, resets: parts.resets };
  const wasCut = await isCut(target);
  const next = wasCut ? (await findCut(target)).source : map.scannedEnd;
  const { isNewLife, position } = await askSource(work, record, next);
  if (!isNewLife) return { lives, wasCut };
  return { lives: { ...lives, record: nextLife(record, position), isNew: true }, wasCut };
}

function askSource(work: Work, record: CopyRecord, position: number): Promise<SourceAnswer> {
  const { context, key, parts, ends } = work;
  const { generation, sourceTopicId: topicId } = record;
  const { sourceLogs: logs, resets } = parts;
  return checkSource({ key, context, logs, resets, ends, generation, topicId }, position);
}

function tailReader({ id, key, context, parts }: Work, record: CopyRecord): TailReader {
  return new TailReader(
    context,
    parts.targetLinks,
    { topic: id.remoteTopic, partition: id.partition },
    { ...key, site: context.settings.from, ...record, producerIds: new Set(record.producerIds) },
  );
}

/** One id a partition, so that no assignment can dodge the fence and no sick one blocks others. */
function transactionalIdOf(id: CopyTarget, { topology, settings }: FlowContext): string {
  return `causeway.${topology.mesh}.${settings.id}.${id.remoteTopic}.${id.partition}`;
}

async function fenceOthers(
  { id, key, context, ends, signal }: Work,
  lives: Lives,
): Promise<{ fence: Fence; record: CopyRecord }> {
  const { journal, target } = context;
  let record = lives.record;
  let mustStore = lives.isNew;
  const fence = await target.cluster.fence(
    {
      topic: id.remoteTopic,
      partition: id.partition,
      transactionalId: transactionalIdOf(id, context),
      targetEnd: ends.targetEnd,
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
