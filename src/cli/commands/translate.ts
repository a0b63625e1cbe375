/** `causeway translate`: where a group is to go on at another site. Changes nothing. */
import { Command } from 'commander';
import { translateJson } from '../../client/json.ts';
import { parsePosition } from '../../client/position-text.ts';
import { agentAddresses, askFirst, withAgentOptions, type FindOptions } from '../agents.ts';
import type { CliIo } from '../io.ts';
import { aboutWay, groupOption, wayOf } from '../move-options.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { translateTable } from '../print/failover.ts';

interface Options extends FindOptions {
  readonly output: OutputFormat;
  readonly group: string;
  readonly from: string;
  readonly to: string;
  readonly position?: readonly string[];
}

export function translateCommand(io: CliIo): Command {
  const command = new Command('translate')
    .description('translate the positions of a group to another site; changes nothing')
    .requiredOption('--group <group>', 'the consumer group')
    .requiredOption('--from <site>', 'where the positions are')
    .requiredOption('--to <site>', 'where the group is to go on')
    .option('--position <topic/partition@offset...>', "instead of the group's own positions");
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    groupOption(options.group);
    const way = wayOf(options);
    const positions = (options.position ?? []).map((text) => parsePosition(text, '--position'));
    const addresses = await agentAddresses(io, options, aboutWay(way));
    const answer = await askFirst(io, addresses, options, (client) =>
      client.translate({ group: options.group, ...way, positions }),
    );
    print(io, options.output, translateJson(answer), translateTable);
  });
}
