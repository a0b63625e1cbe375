/**
 * Before a consumer joins its group at a site: where the group goes on there, as far as it is known
 * by the group's own commits and by agents; positions that are only translated are committed.
 */
import { isMeshError, MeshError } from '../../base/errors.ts';
import { siteName } from '../../base/ids.ts';
import type { TranslateAnswer } from '../../groups/answer.ts';
import type { Agents } from './agents.ts';
import type { ConsumerLog, StartBasis } from './events.ts';
import type { SiteAdmin } from './site-admin.ts';
import { startPositions, startReport, type PartitionAt, type StartReport } from './start-report.ts';
import type { TopicNames } from './topic-names.ts';

export interface StartParts {
  readonly group: string;
  readonly sites: readonly string[];
  readonly names: TopicNames;
  readonly agents: Pick<Agents, 'ask'>;
  readonly log: ConsumerLog;
  readonly unknownPositions: 'refuse' | 'earliest';
}

export interface StartPlace {
  readonly basis: StartBasis;
  readonly why: string;
  /** Where it ran before, and what the group had committed there, as far as that could be asked. */
  readonly from: { readonly site: string; readonly committed: readonly PartitionAt[] } | undefined;
}

/** @throws MeshError precondition when it is not safe to start; of Kafka */
export async function prepareStart(
  admin: SiteAdmin,
  topics: readonly string[],
  { basis, why, from }: StartPlace,
  parts: StartParts,
): Promise<StartReport> {
  const { group } = parts;
  const { site } = admin;
  const partitions = await admin.committed(group, topics);
  const isKnown = partitions.every(({ committed }) => committed !== undefined);
  const asked = basis === 'synced' ? [] : parts.sites.filter((one) => one !== site);
  const sources = isKnown ? asked.filter((one) => one === from?.site) : asked;
  const answers: TranslateAnswer[] = [];
  for (const source of sources) {
    const committed = source === from?.site ? from.committed : [];
    const answer = await translation(parts, source, site, committed);
    if (answer !== undefined) answers.push(answer);
  }
  const positions = startPositions(partitions, answers, basis);
  if (parts.unknownPositions === 'refuse') refuseUnknown(parts, site, partitions, answers);
  const translated = positions.flatMap(({ topic, partition, offset, how }) =>
    how === 'translated' ? [{ topic, partition, committed: offset }] : [],
  );
  // With members these are theirs to read: the first of them has committed.
  if (translated.length > 0 && (await admin.members(group)) === 0) {
    await admin.commit(group, translated);
  }
  return startReport({ group, site, from: from?.site, basis, why }, positions);
}

/** undefined: the group is not known there, or no agent answers. */
async function translation(
  { group, sites, agents, log }: StartParts,
  from: string,
  to: string,
  committed: readonly PartitionAt[],
): Promise<TranslateAnswer | undefined> {
  const route = { group, from: siteName(from), to: siteName(to) };
  const explicit = committed.flatMap(({ topic, partition, committed: offset }) =>
    offset === undefined ? [] : [{ topic, partition, offset }],
  );
  // What agents know; else what the group had committed as this one left.
  const questions = explicit.length > 0 ? [[], explicit] : [[]];
  for (const positions of questions) {
    for (const site of [to, ...sites.filter((one) => one !== to)]) {
      try {
        return await agents.ask(site, (agent) => agent.translate({ ...route, positions }));
      } catch (error) {
        if (!isMeshError(error)) throw error;
        log.debug({ group, from, to, site, why: error.message }, 'not translated');
        if (!error.retriable) break;
      }
    }
  }
  return undefined;
}

function refuseUnknown(
  { group, names }: StartParts,
  site: string,
  partitions: readonly PartitionAt[],
  answers: readonly TranslateAnswer[],
): void {
  const isCommitted = (topic: string, partition: number): boolean =>
    partitions.some((one) => {
      return one.topic === topic && one.partition === partition && one.committed !== undefined;
    });
  const known = new Set<string>();
  for (const { source, target, certainty, reason } of answers.flatMap((one) => one.positions)) {
    if (certainty !== 'unknown' || !names.isWanted(target.topic)) continue;
    if (isCommitted(target.topic, target.partition)) continue;
    known.add(`${source.topic}/${source.partition} (${reason})`);
  }
  if (known.size === 0) return;
  const some = [...known].slice(0, 3).join(', ');
  const text = `it is not safe to start ${group} at ${site}: cannot be translated: ${some}`;
  throw new MeshError('precondition', `${text}. unknownPositions: 'earliest' reads those anew`);
}
