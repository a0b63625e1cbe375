/**
 * What a group has read at two sites: the positions of both are brought to where the records were
 * born, through the maps, and compared there.
 *
 * ```
 *   left there      position here, translated      position there
 *       |                     |                          |
 *  -----+=====================+--------------------------+---->  east/orders/3
 *        read at both
 * ```
 */
import type { SiteName } from '../base/ids.ts';
import type { Topology } from '../topology/model.ts';
import { topicChain } from '../topology/names.ts';
import type { LogPlace, Overlap } from './answer.ts';
import type { SourcePosition, Translator } from './translator.ts';

export interface SitePositions {
  readonly site: SiteName;
  readonly positions: readonly SourcePosition[];
}

export interface OverlapFacts {
  readonly topology: Topology;
  readonly translator: Pick<Translator, 'translate'>;
  readonly there: SitePositions;
  readonly here: SitePositions;
  /** Where the group was there before both were used; undefined: that is not known. */
  readonly left: readonly LogPlace[] | undefined;
}

interface Born extends Omit<Overlap, 'from' | 'to'> {
  readonly offset: bigint;
}

export function overlapOf(facts: OverlapFacts): Overlap[] {
  const there = atBirth(facts, facts.there);
  const here = atBirth(facts, facts.here);
  const left = facts.left && atBirth(facts, { site: facts.there.site, positions: facts.left });
  return [...there].flatMap(([key, { offset, ...log }]) => {
    const other = here.get(key);
    if (other === undefined) return [];
    const from = left?.get(key)?.offset;
    const to = offset < other.offset ? offset : other.offset;
    return to > (from ?? 0n) ? [{ ...log, from, to }] : [];
  });
}

export function overlapText({ site, topic, partition, from, to }: Overlap): string {
  return `${site}/${topic}/${partition} [${from ?? '?'},${to}) read at both`;
}

function atBirth(
  { topology, translator }: OverlapFacts,
  { site, positions }: SitePositions,
): ReadonlyMap<string, Born> {
  const born = new Map<string, Born>();
  for (const position of positions) {
    if (position.offset === undefined) continue;
    const birth = topicChain(position.topic, topology).chain.at(-1) ?? site;
    // Of a site that is none any more nothing is known.
    if (!topology.sites.has(birth)) continue;
    const [found] = translator.translate([position], site, birth);
    const { topic, partition, offset } = found?.target ?? {};
    if (topic === undefined || partition === undefined || offset === undefined) continue;
    born.set(`${birth}/${topic}/${partition}`, { site: birth, topic, partition, offset });
  }
  return born;
}
