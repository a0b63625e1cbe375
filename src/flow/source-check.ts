/**
 * Whether the source's log is the one that was read up to a position, and still has what comes
 * next. Asked at every takeover; while copying goes on, log-guards.ts asks.
 */
import { readSourceEnd, type LogEnds } from './log-ends.ts';
import type { CopyKey } from './copy-journal.ts';
import { findDivergence } from './epoch-chain.ts';
import type { FlowContext } from './flow-context.ts';
import type { LeaderLogs } from './leader-logs.ts';
import { MeshError } from '../base/errors.ts';
import type { Resets } from './resets.ts';

export interface SourceQuestion {
  readonly key: CopyKey;
  readonly context: FlowContext;
  readonly logs: LeaderLogs;
  readonly resets: Resets;
  readonly ends: LogEnds;
  readonly generation: number;
  readonly topicId: string;
}

export interface SourceAnswer {
  /** Where copying goes on. */
  readonly position: number;
  /** From there on it is another log: a new life begins. */
  readonly isNewLife: boolean;
  /** The leader epoch in which it was found out. */
  readonly leaderEpoch: number;
}

/** @throws MeshError source_reset when the policy is to pause; others while none can tell */
export async function checkSource(
  question: SourceQuestion,
  position: number,
): Promise<SourceAnswer> {
  const { key, context, resets, ends } = question;
  const { from: site } = context.settings;
  const where = `${key.topic}/${key.partition} at ${site}`;
  const leaderEpoch = context.source.partition(key.topic, key.partition)?.leaderEpoch ?? -1;
  if (leaderEpoch < 0) throw new MeshError('kafka_unavailable', `${where} has no leader just now`);
  const common = await commonEnd(question, position, leaderEpoch);
  const start = Math.max(common, ends.sourceStart);
  const isNewLife = common < position;
  const outran = {
    site,
    from: common,
    to: ends.sourceStart,
    what: 'left the log before they were copied',
  };
  if (isNewLife) {
    const gone = { site, from: common, to: position, what: 'were copied and are there no more' };
    resets.meet({
      end: 'source',
      text: `${where} was truncated at ${common}`,
      ranges: [gone, outran],
      then: `copied from ${start} on, as a new life of the topic`,
    });
  } else if (start > position) {
    resets.meet({
      end: 'source',
      text: `${where} begins at ${start}, behind ${position} which is next`,
      ranges: [outran],
      then: `copied from ${start} on`,
    });
  }
  return { position: start, isNewLife, leaderEpoch };
}

/** Up to where the log is the one that was read. */
async function commonEnd(
  { key, context, logs, generation, topicId }: SourceQuestion,
  position: number,
  leaderEpoch: number,
): Promise<number> {
  const { topic, partition } = key;
  const chain = context.epochs.chain(key, generation);
  const log = logs.of({ topic, partition }, leaderEpoch, topicId);
  if (chain.before(position) !== undefined) {
    return (await findDivergence(chain, position, log)) ?? position;
  }
  // Where no epochs are known, as of logs in old formats, the end alone can tell; as it is now,
  // since another agent may have copied on meanwhile.
  return Math.min(position, await readSourceEnd(topic, partition, context));
}
