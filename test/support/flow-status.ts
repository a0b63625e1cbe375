/** What a flow says of a partition, and waiting for it: a failure tells what it said instead. */
import type { PartitionStatus } from '../../src/flow/status.ts';
import type { TestFlow } from './flows.ts';
import { until } from './until.ts';

const settleMs = 60_000;

/** The first partition of that topic, or of all. */
export function partitionOf({ flow }: TestFlow, topic?: string): PartitionStatus | undefined {
  const { partitions } = flow.status();
  return partitions.find((one) => topic === undefined || one.topic === topic);
}

export async function copiedTo(running: TestFlow, position: number, topic?: string): Promise<void> {
  await untilStatus(running, topic, `copied to ${position}`, (found) => {
    return found.state === 'copying' && found.position === BigInt(position);
  });
}

export async function pausedFor(running: TestFlow, why: RegExp, topic?: string): Promise<void> {
  await untilStatus(running, topic, `paused for ${String(why)}`, (found) => {
    return found.state === 'paused' && why.test(found.why);
  });
}

async function untilStatus(
  running: TestFlow,
  topic: string | undefined,
  what: string,
  isGood: (found: PartitionStatus) => boolean,
): Promise<void> {
  let seen: PartitionStatus | undefined;
  const probe = (): boolean => {
    seen = partitionOf(running, topic);
    return seen !== undefined && isGood(seen);
  };
  await until(`${topic ?? 'the topic'} to be ${what}`, probe, settleMs).catch((error: unknown) => {
    const { state, position, why } = seen ?? {};
    throw new Error(`${String(error)}; it is ${state} ${position} ${why}`, { cause: error });
  });
}
