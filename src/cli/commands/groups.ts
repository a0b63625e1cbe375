/** `causeway groups`: how well each group could go on at each site, now. Changes nothing. */
import { Command } from 'commander';
import type { GroupsJson } from '../../client/answers.ts';
import { readinessJson } from '../../client/json.ts';
import { withAgentOptions } from '../agents.ts';
import { askSites, type SiteOptions } from '../ask-sites.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { groupsTable } from '../print/groups.ts';

interface Options extends SiteOptions {
  readonly output: OutputFormat;
  readonly group?: string;
}

const help = `
MODE: how its members run; (found) where nobody has declared it.
HOME: provisional while the home before cannot be reached and the group is used elsewhere.
STATE: home (at home there) · ready (could go on there at exactly its records) · bounded (would read
some records again) · unknown (some position cannot be translated) · own (its positions at each site
are its own) · contested (used at several sites: nothing is written for it; WHY tells what to do).`;

export function groupsCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('groups')
    .description('how well each group could go on at each site, now')
    .option('--site <site>', 'only as seen from this site')
    .option('--group <group>', 'only this group')
    .addHelpText('after', help);
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    const answer = await ask(io, options);
    print(io, options.output, answer, groupsTable);
    if (answer.groups.length === 0 && answer.silent.length > 0) exit.value = exitCodes.failed;
  });
}

async function ask(io: CliIo, options: Options): Promise<GroupsJson> {
  const { answers, silent } = await askSites(io, options, (client) => client.listGroups());
  const { group: wanted } = options;
  const groups = answers
    .flatMap(({ answer }) => answer.map(readinessJson))
    .filter(({ group }) => wanted === undefined || group === wanted)
    .sort((a, b) => (a.group === b.group ? 0 : a.group < b.group ? -1 : 1));
  return { schema: 1, groups, silent };
}
