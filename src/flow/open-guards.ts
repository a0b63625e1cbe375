/** The guards of both logs of a partition, for one tenure. */
import type { MeshError } from '../base/errors.ts';
import type { FlowContext } from './flow-context.ts';
import type { LeaderLogs } from './leader-logs.ts';
import { SourceGuard, TargetGuard } from './log-guards.ts';
import type { CopyTarget } from './status.ts';
import type { Tenure } from './take-over.ts';

export interface GuardsParts {
  readonly sourceLogs: LeaderLogs;
  readonly targetLogs: LeaderLogs;
  readonly onSourceProven: () => void;
  readonly onTargetProven: () => void;
  readonly onTrouble: (trouble: MeshError) => void;
}

export function openGuards(
  { topic, remoteTopic, partition }: CopyTarget,
  { source, target, epochs: journal, settings }: FlowContext,
  tenure: Tenure,
  parts: GuardsParts,
): { readonly source: SourceGuard; readonly target: TargetGuard } {
  const { generation } = tenure;
  const { onTrouble } = parts;
  return {
    source: new SourceGuard({
      view: source,
      logs: parts.sourceLogs,
      place: { topic, partition },
      topicId: tenure.sourceTopicId,
      leaderEpoch: tenure.sourceEpoch,
      journal,
      key: { flow: settings.id, topic, partition },
      generation,
      onTrouble,
      onProven: parts.onSourceProven,
    }),
    target: new TargetGuard({
      view: target,
      logs: parts.targetLogs,
      place: { topic: remoteTopic, partition },
      topicId: tenure.targetTopicId,
      leaderEpoch: tenure.targetEpoch,
      onTrouble,
      onProven: parts.onTargetProven,
    }),
  };
}
