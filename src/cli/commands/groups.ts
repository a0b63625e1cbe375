/** `causeway groups`: how well each group could go on at each site, now. Changes nothing. */
import { Command } from 'commander';
import { errorMessage } from '../../base/errors.ts';
import type { GroupsJson } from '../../client/answers.ts';
import { readinessJson } from '../../client/json.ts';
import { agentAddresses, askFirst, readTopology, withAgentOptions } from '../agents.ts';
import type { FindOptions } from '../agents.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { groupsTable } from '../print/groups.ts';
import { siteOption } from './translate.ts';

interface Options extends FindOptions {
  readonly output: OutputFormat;
  readonly site?: string;
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

/** One agent of each site, or those that are named. */
async function ask(io: CliIo, options: Options): Promise<GroupsJson> {
  const groups: GroupsJson['groups'] = [];
  const silent: GroupsJson['silent'] = [];
  for (const site of await sitesOf(io, options)) {
    try {
      const addresses = await agentAddresses(io, options, site);
      const found = await askFirst(io, addresses, options, (client) => client.listGroups());
      groups.push(...found.map(readinessJson));
    } catch (error) {
      silent.push({ site: site ?? '', why: errorMessage(error) });
    }
  }
  const { group: wanted } = options;
  const kept = groups
    .filter(({ group }) => wanted === undefined || group === wanted)
    .sort((a, b) => (a.group === b.group ? 0 : a.group < b.group ? -1 : 1));
  return { schema: 1, groups: kept, silent };
}

async function sitesOf(io: CliIo, options: Options): Promise<readonly (string | undefined)[]> {
  if (options.connect !== undefined) return [undefined];
  if (options.site !== undefined) return [siteOption('site', options.site)];
  return [...(await readTopology(io, options.topology)).sites.keys()];
}
