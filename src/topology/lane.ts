/**
 * How the records of a topic are carried. `stamp`: every record gets the provenance header.
 * `pass`: the batches travel compressed as they are, without it. Where both lists match a name,
 * `stamp` wins: it asks nothing of the topic.
 */
import { matchesFilter } from './filter.ts';
import type { FlowSettings, Lane, LaneChoice } from './model.ts';

export const stampOnly: LaneChoice = {
  default: 'stamp',
  stamp: { include: [], exclude: [] },
  pass: { include: [], exclude: [] },
};

/** What the topology asks for; a compacted topic is carried in the stamp lane all the same. */
export function wantedLane({ lane }: Pick<FlowSettings, 'lane'>, topic: string): Lane {
  if (matchesFilter(lane.stamp, topic)) return 'stamp';
  return matchesFilter(lane.pass, topic) ? 'pass' : lane.default;
}

/** No topic of the flow gets the header. */
export function isAllPass({ lane }: Pick<FlowSettings, 'lane'>): boolean {
  return lane.default === 'pass' && lane.stamp.include.length === 0;
}
