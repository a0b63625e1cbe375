/** `causeway failover`: first the table of what would be done, then, with --execute, doing it. */
import { Command } from 'commander';
import { planJson, reportJson } from '../../client/json.ts';
import { agentAddresses, askFirst, withAgentOptions, type FindOptions } from '../agents.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { planTable, reportTable } from '../print/failover.ts';
import { siteOption } from './translate.ts';

interface Options extends FindOptions {
  readonly output: OutputFormat;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly execute?: boolean;
  readonly plan?: string;
}

const help = `
Without --execute nothing is changed. Going back is the same command with the sites exchanged, once
the members of the group have been stopped. Exit code 3: refused, for the reasons shown.`;

export function failoverCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('failover')
    .description('move a group to another site: commit its translated positions there')
    .requiredOption('--group <group>', 'the consumer group')
    .requiredOption('--from <site>', 'its home until now')
    .requiredOption('--to <site>', 'its home from now on')
    .option('--execute', 'do it; without it the plan is only shown')
    .option('--plan <id>', 'with --execute: refuse unless the plan is still this one')
    .addHelpText('after', help);
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    const { group } = options;
    const request = {
      group,
      from: siteOption('from', options.from),
      to: siteOption('to', options.to),
    };
    const addresses = await agentAddresses(io, options, request.to);
    const plan = await askFirst(io, addresses, options, (client) => client.planFailover(request));
    if (options.execute !== true || plan.refusals.length > 0) {
      print(io, options.output, planJson(plan), planTable);
      if (plan.refusals.length > 0) exit.value = exitCodes.condition;
      return;
    }
    const report = await askFirst(io, addresses, options, (client) =>
      client.executeFailover(request, options.plan ?? plan.planId, io.user),
    );
    print(io, options.output, reportJson(report), reportTable);
  });
}
