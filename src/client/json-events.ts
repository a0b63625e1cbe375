/** Events and late records as the JSON of `answers.ts`. */
import type { LateStretch } from '../groups/stored-late.ts';
import type { EventsJson, LateJson } from './answers.ts';
import type { MeshEvent } from './event-shapes.ts';
import { iso, known, same, text } from './json.ts';

export function eventJson(event: MeshEvent): EventsJson['events'][number] {
  const { atMs, kind, flow, topic, partition, group, range } = event;
  return {
    at: iso(atMs),
    kind,
    flow,
    ...known('topic', topic, same<string>),
    ...known('partition', partition, same<number>),
    ...known('group', group, same<string>),
    text: event.text,
    ...known('range', range, (one) => ({
      site: one.site,
      from: text(one.from),
      to: text(one.to),
    })),
  };
}

export function lateJson(stretch: LateStretch): LateJson['late'][number] {
  const { flow, topic, partition, generation, state, from, to, target, records } = stretch;
  return {
    flow,
    topic,
    partition,
    generation,
    state,
    from: text(from),
    ...known('to', to, text),
    atLeast: text(stretch.atLeast),
    ...known('target', target, (one) => ({
      topic: one.topic,
      from: text(one.from),
      to: text(one.to),
    })),
    ...known('records', records, same<number>),
    groups: stretch.groups.map(({ group, as }) => (as === undefined ? { group } : { group, as })),
    moreGroups: stretch.moreGroups,
    failedOverAt: iso(stretch.failedOverAtMs),
    ...known('seenAt', stretch.seenAtMs, iso),
    ...known('endedAt', stretch.endedAtMs, iso),
  };
}
