/**
 * What a consumer does next, from what it knows: the whole policy, and pure. It follows the home
 * that agents tell; without any agent it goes on where it is, or where offsets stand.
 *
 * Invariant: it runs at one site at a time, and moves only when the home's epoch was raised, or,
 * where the application has asked for that, when the site is lost.
 */
import { MeshError } from '../../base/errors.ts';
import type { HomeView } from '../../groups/watch-home.ts';
import type { StartBasis } from './events.ts';
import type { MoveOnLoss } from './options.ts';

export interface Running {
  readonly site: string;
  readonly basis: StartBasis;
  /** Brokers have not answered for so long; 0: they do. */
  readonly silentMs: number;
}

export interface Facts {
  readonly group: string;
  readonly sites: readonly string[];
  readonly firstSite: string | undefined;
  readonly moveOnLoss: MoveOnLoss | undefined;
  /** What agents say; undefined: none ever answered. */
  readonly view: Omit<HomeView, 'group'> | undefined;
  /** No agent of any site has answered for so long; 0: one does. */
  readonly agentsSilentMs: number;
  /** The same of the agents of other sites than where it runs. */
  readonly othersSilentMs: number;
  readonly agentTimeoutMs: number;
  /** Where it runs, or tries to. */
  readonly running: Running | undefined;
  /** The epoch of a home elsewhere that did not move the consumer; undefined: there is none. */
  readonly passedOver: number | undefined;
}

export type Decision =
  | {
      readonly kind: 'run';
      readonly site: string;
      readonly basis: StartBasis;
      readonly why: string;
    }
  /** Go on where it runs; with a sentence when that is not as it should be. */
  | { readonly kind: 'stay'; readonly why?: string; readonly passOver?: number }
  /** Run nowhere for now. */
  | { readonly kind: 'wait'; readonly why: string; readonly leaveFor?: string }
  /** Go on where offsets stand that agents wrote, but not at the site named. */
  | { readonly kind: 'use_synced'; readonly lost: string | undefined }
  /** Have an agent of another site move the group there. */
  | { readonly kind: 'take_over'; readonly from: string }
  | { readonly kind: 'fail'; readonly error: MeshError };

export function decide(facts: Facts): Decision {
  const { view, running } = facts;
  if (view === undefined) return withoutWord(facts);
  if (view.mode === 'everywhere' || view.mode === 'local') return refuse(ownMode(facts, view.mode));
  // Of a contested group it is open where its home is.
  if (view.home === undefined || view.mode === 'contested') return withoutHome(facts, view.mode);
  const { home } = view;
  if (!facts.sites.includes(home.site)) {
    const known = facts.sites.join(', ');
    const text = `${facts.group} is at home at ${home.site}, which is none of the sites named: ${known}`;
    return refuse(new MeshError('site_unknown', text));
  }
  if (running === undefined || running.site === home.site) {
    const { leaving } = view;
    if (leaving?.from === home.site) {
      const why = `a switchover of ${facts.group} from ${leaving.from} to ${leaving.to} is under way`;
      return { kind: 'wait', why, leaveFor: leaving.to };
    }
  } else if (running.basis === 'synced' && home.epoch <= (facts.passedOver ?? home.epoch)) {
    const why = `${facts.group} runs at ${running.site} although its home is ${home.site}`;
    return { kind: 'stay', why, passOver: home.epoch };
  }
  if (running?.site === home.site && isLost(facts)) return onLoss(facts, running.site);
  const why = `${facts.group} is at home at ${home.site} (epoch ${home.epoch})`;
  return { kind: 'run', site: home.site, basis: 'home', why };
}

/** No agent has ever answered. */
function withoutWord(facts: Facts): Decision {
  const { running, agentsSilentMs, agentTimeoutMs } = facts;
  if (running !== undefined) return isLost(facts) ? onLoss(facts, running.site) : { kind: 'stay' };
  if (agentsSilentMs >= agentTimeoutMs) return { kind: 'use_synced', lost: undefined };
  return { kind: 'wait', why: 'no agent has answered yet' };
}

function withoutHome({ group, running, firstSite }: Facts, mode: HomeView['mode']): Decision {
  const isContested = mode === 'contested';
  if (running !== undefined) {
    return isContested ? { kind: 'stay', why: `${group} is contested` } : { kind: 'stay' };
  }
  if (isContested) {
    const text = `${group} is contested: it has positions of its own at several sites. Declare its mode and home in the topology`;
    return refuse(new MeshError('precondition', text));
  }
  if (firstSite !== undefined) {
    const why = `no home of ${group} is known: it runs at ${firstSite}, as it was told`;
    return { kind: 'run', site: firstSite, basis: 'first', why };
  }
  const text = `no home of ${group} is known: declare it in the topology with mode single, or give firstSite`;
  return refuse(new MeshError('precondition', text));
}

function isLost({ moveOnLoss, running }: Facts): boolean {
  return moveOnLoss !== undefined && (running?.silentMs ?? 0) >= moveOnLoss.afterMs;
}

function onLoss({ moveOnLoss, othersSilentMs }: Facts, lost: string): Decision {
  if (othersSilentMs === 0) return { kind: 'take_over', from: lost };
  if (moveOnLoss?.withoutAgents === true) return { kind: 'use_synced', lost };
  return {
    kind: 'stay',
    why: `${lost} does not answer, nor any agent of another site to move the group by`,
  };
}

function ownMode({ group }: Facts, mode: string): MeshError {
  const text = `${group} is of mode ${mode}: its progress at each site is its own. Use a plain consumer at each`;
  return new MeshError('precondition', text);
}

function refuse(error: MeshError): Decision {
  return { kind: 'fail', error };
}
