/**
 * Which lives of the two topics belong together: those that are known, or, when one of them was
 * deleted and made again, by policy a new one. Topics are told by their ids, not by their names.
 */
import type { CopyKey, CopyRecord } from './copy-journal.ts';
import type { FlowContext } from './flow-context.ts';
import type { LogEnds } from './log-ends.ts';
import type { Reset, Resets } from './resets.ts';

export interface Lives {
  readonly record: CopyRecord;
  /** Nothing has been written in it yet. */
  readonly isNew: boolean;
  /** The target's topic is one that this flow has written to. */
  readonly isTargetKnown: boolean;
}

/** @throws MeshError source_reset, target_reset when the policy is to pause */
export function chooseLives(
  key: CopyKey,
  topicIds: { readonly source: string; readonly target: string },
  ends: LogEnds,
  context: FlowContext,
  resets: Resets,
): Lives {
  const { settings, journal } = context;
  const known = journal.get(key);
  const ids = { sourceTopicId: topicIds.source, targetTopicId: topicIds.target };
  if (known === undefined) {
    const partitionsAtStart = firstPartitions(key, topicIds.source, context);
    const isLatest = settings.start === 'latest' && key.partition < partitionsAtStart;
    const startOffset = BigInt(isLatest ? ends.sourceEnd : ends.sourceStart);
    const record = { generation: 1, producerIds: [], startOffset, partitionsAtStart, ...ids };
    return { record, isNew: true, isTargetKnown: false };
  }
  const isSourceNew = known.sourceTopicId !== topicIds.source;
  const isTargetNew = known.targetTopicId !== topicIds.target;
  if (isSourceNew) resets.meet(sourceMadeAgain(key, context));
  if (isTargetNew) resets.meet(targetMadeAgain(key, known, isSourceNew, ends, context));
  if (!isSourceNew && !isTargetNew) {
    // Before its first write it may turn out to hold somebody else's records.
    return { record: known, isNew: false, isTargetKnown: false };
  }
  const startOffset = BigInt(ends.sourceStart);
  const next = { generation: known.generation + 1, startOffset, isContinued: false };
  const record = { ...known, ...ids, ...next };
  return { record, isNew: true, isTargetKnown: !isTargetNew };
}

/**
 * How many partitions the source topic had when it was first looked at: whatever was written to
 * those added since is new to the flow, wherever it starts.
 */
function firstPartitions(key: CopyKey, topicId: string, context: FlowContext): number {
  let first = context.source.topic(key.topic)?.partitions.length ?? 0;
  for (const { sourceTopicId, partitionsAtStart } of context.journal.ofTopic(key)) {
    if (sourceTopicId === topicId) first = Math.min(first, partitionsAtStart ?? first);
  }
  return first;
}

/** The life that begins where the source's log is another from there on. */
export function nextLife(record: CopyRecord, startOffset: number): CopyRecord {
  const { generation } = record;
  const next = { generation: generation + 1, startOffset: BigInt(startOffset), isContinued: true };
  return { ...record, ...next };
}

function sourceMadeAgain({ flow, topic, partition }: CopyKey, context: FlowContext): Reset {
  const { from: site } = context.settings;
  const frontier = context.maps.reader(flow, topic, partition)?.frontier;
  const what = 'of its earlier life were never copied';
  const { scannedEnd = 0, sourceEnd = 0 } = frontier ?? {};
  return {
    end: 'source',
    text: `${topic}/${partition} at ${site} was deleted and made again`,
    ranges: [{ site, from: scannedEnd, to: sourceEnd, what }],
    then: 'copied from its start, as a new life of the topic',
  };
}

function targetMadeAgain(
  key: CopyKey,
  known: CopyRecord,
  isSourceNew: boolean,
  ends: LogEnds,
  context: FlowContext,
): Reset {
  const { from, to } = context.settings;
  const { generation, startOffset } = known;
  const copied = context.maps.writer({ ...key, generation });
  const lost = isSourceNew ? (copied.scannedEnd ?? 0) : ends.sourceStart;
  return {
    end: 'target',
    text: `the copy of ${key.topic}/${key.partition} at ${to} was deleted and made again`,
    ranges: [
      { site: to, from: 0, to: copied.end?.target ?? 0, what: 'vanished' },
      {
        site: from,
        from: Number(startOffset),
        to: Math.min(lost, copied.scannedEnd ?? 0),
        what: 'are lost: they are no longer there either',
      },
    ],
    then: `copied again from ${ends.sourceStart} at ${from} on, as a new life of the topic`,
  };
}
