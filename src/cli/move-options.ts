/** What the commands that move a group have in common: which one, from where to where, as what. */
import { Option, type Command } from 'commander';
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';
import type { FailoverRequest } from '../groups/updates.ts';
import { withAgentOptions, type About, type FindOptions } from './agents.ts';
import type { CliIo } from './io.ts';
import { withOutput, type OutputFormat } from './output.ts';
import { checkReport } from './report-file.ts';

export interface MoveOptions extends FindOptions {
  readonly output: OutputFormat;
  readonly group?: string;
  readonly from: string;
  readonly to: string;
  readonly as?: string;
  readonly execute?: boolean;
  readonly overwrite?: boolean;
  readonly report?: string;
}

/** From where to where, and how. */
export interface Move {
  readonly from: SiteName;
  readonly to: SiteName;
  readonly overwrite: boolean;
}

export function withMoveOptions(command: Command, isOneGroup: boolean): Command {
  const group = new Option('--group <group>', 'the consumer group');
  command
    .addOption(group.makeOptionMandatory(isOneGroup))
    .requiredOption('--from <site>', 'where it runs until now')
    .requiredOption('--to <site>', 'where it runs from now on')
    .option('--as <id>', 'under another id there: groups of mode local; {group}, {from}, {to}')
    .option('--execute', 'do it; without it the plan is only shown')
    .option('--overwrite', 'replace what that id itself has committed there')
    .option('--report <file>', 'with --execute: write down what was done, as .md or .json');
  return withOutput(withAgentOptions(command));
}

export function siteOption(name: string, text: string): SiteName {
  if (isSiteName(text)) return text;
  const found = JSON.stringify(text);
  throw new MeshError('usage', `--${name}: found ${found}, wanted the name of a site`);
}

/** @throws MeshError usage */
export function groupOption(group: string | undefined): void {
  if (group === '') throw new MeshError('usage', '--group: found "", wanted the id of a group');
}

/** From where to where; what is wrong with them without any file. @throws MeshError usage */
export function wayOf(options: { from: string; to: string }): Pick<Move, 'from' | 'to'> {
  const from = siteOption('from', options.from);
  const to = siteOption('to', options.to);
  if (from !== to) return { from, to };
  const found = JSON.stringify(from);
  throw new MeshError('usage', `--from and --to: found ${found} twice, wanted two sites`);
}

/** For comparing with the topology file: the agents of the site to go to are asked. */
export function aboutWay({ from, to }: Pick<Move, 'from' | 'to'>): About {
  return { at: to, sites: { '--from': from, '--to': to } };
}

/** All that can be refused before an agent is asked. @throws MeshError usage */
export async function moveOf(io: CliIo, options: MoveOptions): Promise<Move> {
  groupOption(options.group);
  const way = wayOf(options);
  if (options.as === '') throw new MeshError('usage', '--as: found "", wanted an id of a group');
  if (options.report !== undefined) {
    needsExecute('--report', options);
    await checkReport(io, options.report);
  }
  return { ...way, overwrite: options.overwrite ?? false };
}

/** @throws MeshError usage */
export function needsExecute(option: string, { execute }: MoveOptions): void {
  if (execute === true) return;
  throw new MeshError('usage', `${option}: found without --execute, wanted both or neither`);
}

/** Of a report. */
export function titleOf(
  verb: string,
  { group, as, from, to }: Pick<FailoverRequest, 'group' | 'as' | 'from' | 'to'>,
): string {
  return `${verb} of ${group}${as === undefined ? '' : ` as ${as}`}, ${from} to ${to}`;
}

/** The id that one group goes on under. @throws MeshError usage */
export function idOf(as: string | undefined, group: string, move: Move): string | undefined {
  const words: Readonly<Record<string, string>> = { group, from: move.from, to: move.to };
  return as?.replace(/\{([^}]*)\}/g, (found, word: string) => {
    const known = Object.hasOwn(words, word) ? words[word] : undefined;
    if (known !== undefined) return known;
    throw new MeshError('usage', `--as: found ${found}, wanted {group}, {from} or {to}`);
  });
}
