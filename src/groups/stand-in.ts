/**
 * A group that goes on under another id while its site is lost (`--as`): groups of mode `local`
 * have positions of their own at every site under the one name, so the members that take over for
 * the lost site need a name apart. The home of that id says for whom it stands; when it is at home
 * at the site of that group itself, it has gone back to its own name.
 *
 * ```
 *   billing at east --as billing.east--> billing.east at west        home west, for billing of east
 *   billing.east at west --as billing--> billing at east             home east, for billing of east
 * ```
 */
import { MeshError } from '../base/errors.ts';
import type { SiteName } from '../base/ids.ts';
import { groupDeclaration } from '../topology/groups.ts';
import type { Topology } from '../topology/model.ts';
import type { GroupAt, GroupHome, GroupMode, TranslateAnswer } from './answer.ts';
import type { Refusal } from './failover.ts';
import type { FailoverRequest } from './updates.ts';

/** An id and where it is at home. */
export interface IdAtHome {
  readonly group: string;
  readonly home: GroupHome;
}

/** What decides under which id a group may go on. */
export interface IdFacts {
  /** The id asked for, when it is not the group's own. */
  readonly into:
    | {
        readonly group: string;
        /** As it is declared; `off`: not at all. */
        readonly mode: GroupMode;
        readonly home: GroupHome | undefined;
      }
    | undefined;
  /** Of the home of the group's own id in the ledger, even when it does not count; 0: none. */
  readonly epoch: number;
  /** Another id under which the group goes on already. */
  readonly standIn: IdAtHome | undefined;
}

export function idFacts(
  { group, from, as }: FailoverRequest,
  topology: Topology,
  homes: Iterable<readonly [string, GroupHome]>,
): IdFacts {
  let intoHome: GroupHome | undefined;
  let standIn: IdAtHome | undefined;
  let epoch = 0;
  for (const [id, home] of homes) {
    if (id === group) ({ epoch } = home);
    if (id === as) intoHome = home;
    else if (isFor(home, { group, site: from }) && isAway(home)) standIn = { group: id, home };
  }
  if (as === undefined) return { into: undefined, epoch, standIn };
  const { mode } = groupDeclaration(topology.groups, as).declaration ?? { mode: 'off' };
  return { into: { group: as, mode, home: intoHome }, epoch, standIn };
}

/** @throws MeshError usage when no group can be called so */
export function checkId({ group, as }: FailoverRequest): void {
  if (as === undefined) return;
  const wrong = (found: string): MeshError =>
    new MeshError('usage', `as: found ${JSON.stringify(as)}, ${found}; wanted another group id`);
  if (as === '') throw wrong('nothing');
  if (as === group) throw wrong("the group's own id");
  if (as.startsWith('causeway.')) throw wrong('which is one of the agents');
}

function isFor(home: GroupHome | undefined, { group, site }: GroupAt): boolean {
  return home?.standsFor?.group === group && home.standsFor.site === site;
}

function isAway({ site, standsFor }: GroupHome): boolean {
  return standsFor !== undefined && standsFor.site !== site;
}

/** Who stood at that site before the home moved away from it. */
export function formerId(group: string, home: GroupHome, site: SiteName): string {
  return home.standsFor?.site === site ? home.standsFor.group : group;
}

export function atHome({ site, epoch }: GroupHome): string {
  return `${site} (epoch ${epoch})`;
}

/** What speaks against the id that the group is to go on under. */
export function* idRefusals(
  answer: TranslateAnswer,
  { into, standIn }: IdFacts,
  overwrite: boolean,
): Iterable<Refusal> {
  const { group, from, to, mode, home } = answer;
  const no = (text: string): Refusal => ({ code: 'precondition', text, mayPass: false });
  if (mode === 'everywhere') {
    yield no(`${group} is of mode everywhere: its progress at ${to} is its own; nothing to do`);
  }
  const isBack = isReturn(answer, into);
  const isContestedBy = answer.contest?.sites.includes(from) === true;
  if (home !== undefined && home.site !== from && !isContestedBy) {
    yield no(`the home of ${group} is ${atHome(home)}, not ${from}`);
  }
  if (standIn !== undefined) {
    const where = `${standIn.group} at ${atHome(standIn.home)}`;
    yield no(`${group} of ${from} goes on as ${where}: bring that back first`);
  }
  if (into === undefined) yield* ownIdRefusals(answer, no);
  else if (isBack && home === undefined && !overwrite) {
    const text = `it is not known that ${group} stands in for ${into.group} of ${to}`;
    yield no(`${text}: --overwrite takes your word for it`);
  } else if (!isBack) yield* awayRefusals(answer, into, no);
}

function* ownIdRefusals(
  { group, from, to, mode, home }: TranslateAnswer,
  no: (text: string) => Refusal,
): Iterable<Refusal> {
  if (mode === 'local') {
    const text = `${group} is of mode local: it has its own positions at ${to} under the same name`;
    yield no(`${text}; --as ${group}.${from} moves it under another`);
  }
  if (home?.standsFor?.site === to) {
    const { group: own } = home.standsFor;
    yield no(`${group} stands in for ${own} of ${to}: there it goes on with --as ${own}`);
  }
}

function* awayRefusals(
  { group, from, to, mode, home, contest }: TranslateAnswer,
  into: NonNullable<IdFacts['into']>,
  no: (text: string) => Refusal,
): Iterable<Refusal> {
  const own = `it goes on at ${to} under its own id: leave --as out`;
  if (mode === 'single') {
    yield no(`${group} is of mode single: ${own}`);
  } else if (home?.standsFor !== undefined) {
    const { standsFor } = home;
    yield no(`${group} stands in for ${standsFor.group} of ${standsFor.site}: ${own}`);
  } else if (home !== undefined && contest === undefined) {
    yield no(`${group} has a home of its own, ${atHome(home)}: ${own}`);
  }
  if (into.mode === 'single' || into.mode === 'everywhere') {
    yield no(`${into.group} is declared as a group of its own, of mode ${into.mode}`);
  }
  if (into.home === undefined) return;
  if (!isFor(into.home, { group, site: from })) {
    const { standsFor } = into.home;
    const who = standsFor === undefined ? 'is' : `stands in for ${standsFor.group} of`;
    const where = standsFor === undefined ? `at home at ${atHome(into.home)}` : standsFor.site;
    yield no(`${into.group} is another group: it ${who} ${where}`);
  } else if (into.home.site !== from) {
    const where = `${into.group} at ${atHome(into.home)}`;
    yield no(`${group} of ${from} goes on as ${where} already; nothing to do`);
  }
}

/** It goes back under the name that it stood in for. */
function isReturn({ to, home }: TranslateAnswer, into: IdFacts['into']): boolean {
  if (into === undefined) return false;
  // With the ledger lost only the declaration tells.
  if (home === undefined) return into.mode === 'local';
  return isFor(home, { group: into.group, site: to });
}

/** The id whose home moves, and where it is at home then. */
export function movedHome(answer: TranslateAnswer, { into, epoch: known }: IdFacts): IdAtHome {
  const { group, from, to, home } = answer;
  if (into === undefined || isReturn(answer, into)) {
    const standsFor = into === undefined ? home?.standsFor : { group: into.group, site: to };
    const epoch = Math.max(home?.epoch ?? 0, known) + 1;
    const moved = { site: to, epoch, state: 'moved' } as const;
    return { group, home: standsFor === undefined ? moved : { ...moved, standsFor } };
  }
  const epoch = (into.home?.epoch ?? 0) + 1;
  const standsFor = { group, site: from };
  return { group: into.group, home: { site: to, epoch, state: 'moved', standsFor } };
}
