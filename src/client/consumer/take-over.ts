/**
 * The move that a consumer makes by itself when its site is lost: an agent of another site, which
 * must see the loss too, fails the group over. Of several members the first one does it; the others
 * are refused, as the home has moved, and follow.
 */
import { isMeshError } from '../../base/errors.ts';
import { siteName } from '../../base/ids.ts';
import type { GroupHome } from '../../groups/answer.ts';
import type { Agents } from './agents.ts';
import type { Teller } from './events.ts';

export interface TakeOverParts {
  readonly group: string;
  /** In the order of preference. */
  readonly sites: readonly string[];
  readonly agents: Pick<Agents, 'ask' | 'answersAt'>;
  readonly requestedBy: string;
  readonly teller: Teller;
  /** Before anything is changed: nothing is handled any more at the lost site. */
  readonly leave: () => Promise<void>;
}

/** The new home; undefined: not moved, and told why. */
export async function takeOver(lost: string, parts: TakeOverParts): Promise<GroupHome | undefined> {
  const { group, agents, requestedBy, teller } = parts;
  for (const name of parts.sites) {
    if (name === lost || !agents.answersAt(name)) continue;
    const request = { group, from: siteName(lost), to: siteName(name), overwrite: false };
    try {
      const plan = await agents.ask(name, (agent) => agent.planFailover(request));
      const why = plan.answer.sourceReachable
        ? `${lost} does not answer here, but to an agent of ${name}: not moved`
        : plan.refusals.join('; ');
      if (why !== '') {
        teller.waiting(`${group} is not moved to ${name}: ${why}`);
        continue;
      }
      await parts.leave();
      const { home } = await agents.ask(name, (agent) =>
        agent.executeFailover(request, undefined, requestedBy),
      );
      return home;
    } catch (error) {
      if (!isMeshError(error)) throw error;
      teller.failed(error, `${group} was not moved to ${name}`);
    }
  }
  return undefined;
}
