/** `causeway failover`: first the table of what would be done, then, with --execute, doing it. */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import type { SiteName } from '../../base/ids.ts';
import { planJson, reportJson } from '../../client/json.ts';
import { agentAddresses, askFirst, withAgentOptions, type FindOptions } from '../agents.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { planTable, reportTable } from '../print/failover.ts';
import { failoverAllTable } from '../print/groups.ts';
import { checkReportName, writeReport } from '../report-file.ts';
import { failoverAll } from './failover-all.ts';
import { siteOption } from './translate.ts';

interface Options extends FindOptions {
  readonly output: OutputFormat;
  readonly group?: string;
  readonly allGroups?: boolean;
  readonly from: string;
  readonly to: string;
  readonly execute?: boolean;
  readonly plan?: string;
  readonly overwrite?: boolean;
  readonly report?: string;
}

const help = `
Without --execute nothing is changed. Going back is the same command with the sites exchanged, once
the members of the group have been stopped. Exit code 3: refused, for the reasons shown.`;

export function failoverCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('failover')
    .description('move a group to another site: commit its translated positions there')
    .option('--group <group>', 'the consumer group')
    .option('--all-groups', 'every group of mode single that is at home there')
    .requiredOption('--from <site>', 'its home until now')
    .requiredOption('--to <site>', 'its home from now on')
    .option('--execute', 'do it; without it the plan is only shown')
    .option('--plan <id>', 'with --execute: refuse unless the plan is still this one')
    .option('--overwrite', 'replace what the group itself has committed at the new home')
    .option('--report <file>', 'with --execute: write down what was done, as .md or .json')
    .addHelpText('after', help);
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    const { group } = options;
    checkReportName(options.report);
    const sites = { from: siteOption('from', options.from), to: siteOption('to', options.to) };
    const addresses = await agentAddresses(io, options, sites.to);
    if ((group !== undefined) === (options.allGroups === true)) {
      throw new MeshError('usage', 'wanted either --group or --all-groups');
    }
    if (group === undefined) {
      await moveAll(io, exit, options, addresses, sites);
      return;
    }
    const request = { group, ...sites, overwrite: options.overwrite ?? false };
    const plan = await askFirst(io, addresses, options, (client) => client.planFailover(request));
    if (options.execute !== true || plan.refusals.length > 0) {
      print(io, options.output, planJson(plan), planTable);
      if (plan.refusals.length > 0) exit.value = exitCodes.condition;
      return;
    }
    const report = await askFirst(io, addresses, options, (client) =>
      client.executeFailover(request, options.plan ?? plan.planId, io.user),
    );
    const answer = reportJson(report);
    print(io, options.output, answer, reportTable);
    const title = `Failover of ${group}, ${sites.from} to ${sites.to}`;
    await writeReport(io, options.report, { title, answer, table: reportTable });
  });
}

async function moveAll(
  io: CliIo,
  exit: ExitCode,
  options: Options,
  addresses: readonly string[],
  sites: { readonly from: SiteName; readonly to: SiteName },
): Promise<void> {
  if (options.plan !== undefined) {
    throw new MeshError('usage', '--plan: belongs to one group; wanted none with --all-groups');
  }
  const execute = options.execute ?? false;
  const answer = await askFirst(io, addresses, options, (client) =>
    failoverAll(client, {
      ...sites,
      execute,
      overwrite: options.overwrite ?? false,
      requestedBy: io.user,
    }),
  );
  print(io, options.output, answer, failoverAllTable);
  if (answer.groups.some(({ outcome }) => outcome === 'refused')) exit.value = exitCodes.condition;
  if (!execute) return;
  const title = `Failover of all groups, ${sites.from} to ${sites.to}`;
  await writeReport(io, options.report, { title, answer, table: failoverAllTable });
}
