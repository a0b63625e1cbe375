/** `causeway failover`: first the table of what would be done, then, with --execute, doing it. */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import { planJson, reportJson } from '../../client/json.ts';
import { agentAddresses, askFirst } from '../agents.ts';
import { executeMove, type Ask } from '../execute-move.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import {
  aboutWay,
  idOf,
  moveOf,
  needsExecute,
  titleOf,
  withMoveOptions,
  type Move,
  type MoveOptions,
} from '../move-options.ts';
import { print } from '../output.ts';
import { planTable, reportTable } from '../print/failover.ts';
import { failoverAllTable } from '../print/groups.ts';
import { writeReport } from '../report-file.ts';
import { failoverAll } from './failover-all.ts';

interface Options extends MoveOptions {
  readonly allGroups?: boolean;
  readonly plan?: string;
}

const help = `
Without --execute nothing is changed. A group of mode local goes on under another id: --as NAME, or
with --all-groups a pattern such as --as '{group}.{from}'. Going back is \`causeway switchover\` with
the sites exchanged. Exit code 3: refused, for the reasons shown.`;

export function failoverCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('failover')
    .description('move a group to another site: commit its translated positions there')
    .option('--all-groups', 'every group that runs there, each as its mode wants it')
    .option('--plan <id>', 'with --execute: refuse unless the plan is still this one')
    .addHelpText('after', help);
  return withMoveOptions(command, false).action(async (options: Options) => {
    const { group } = options;
    if ((group !== undefined) === (options.allGroups === true)) {
      throw new MeshError('usage', 'wanted either --group or --all-groups');
    }
    if (options.plan !== undefined) needsExecute('--plan', options);
    const move = await moveOf(io, options);
    const addresses = await agentAddresses(io, options, aboutWay(move));
    if (group === undefined) await moveAll(io, exit, options, addresses, move);
    else await moveOne(io, exit, options, addresses, { group, ...move });
  });
}

async function moveOne(
  io: CliIo,
  exit: ExitCode,
  options: Options,
  addresses: readonly string[],
  move: Move & { readonly group: string },
): Promise<void> {
  const request = { ...move, as: idOf(options.as, move.group, move) };
  const plan = await askFirst(io, addresses, options, (client) => client.planFailover(request));
  if (options.execute !== true || plan.refusals.length > 0) {
    print(io, options.output, planJson(plan), planTable);
    if (plan.refusals.length > 0) exit.value = exitCodes.condition;
    return;
  }
  const ask: Ask = (asked) => askFirst(io, addresses, options, asked);
  const planned = { request, plan, planId: options.plan ?? plan.planId, requestedBy: io.user };
  const report = await ask((client) => executeMove(client, ask, planned, io.clock));
  const answer = reportJson(report);
  print(io, options.output, answer, reportTable);
  const title = titleOf('Failover', request);
  await writeReport(io, exit, options, { title, answer, table: reportTable });
}

async function moveAll(
  io: CliIo,
  exit: ExitCode,
  options: Options,
  addresses: readonly string[],
  move: Move,
): Promise<void> {
  if (options.plan !== undefined) {
    throw new MeshError('usage', '--plan: belongs to one group; wanted none with --all-groups');
  }
  const { as, execute = false } = options;
  if (as?.includes('{group}') === false) {
    const found = JSON.stringify(as);
    throw new MeshError('usage', `--as: found ${found}, wanted {group} in it with --all-groups`);
  }
  const request = { ...move, as, execute, requestedBy: io.user };
  const ask: Ask = (asked) => askFirst(io, addresses, options, asked);
  const answer = await failoverAll(ask, request, io.clock);
  print(io, options.output, answer, failoverAllTable);
  const outcomes = new Set(answer.groups.map(({ outcome }) => outcome));
  if (outcomes.has('refused')) exit.value = exitCodes.condition;
  if (outcomes.has('unknown')) exit.value = exitCodes.failed;
  if (!execute) return;
  const title = `Failover of all groups, ${move.from} to ${move.to}`;
  await writeReport(io, exit, options, { title, answer, table: failoverAllTable });
}
