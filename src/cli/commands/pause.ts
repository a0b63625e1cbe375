/**
 * `causeway pause` and `causeway resume`: of a flow, a topic or a partition. What is paused stays so
 * until it is resumed or its time is up, through restarts of agents.
 */
import { Command } from 'commander';
import { placeText, saidText } from '../../flow/overrides.ts';
import { agentAddresses, askFirst, withAgentOptions, type FindOptions } from '../agents.ts';
import type { CliIo } from '../io.ts';
import { parsePlace, saidBy, withSaidOptions, type SaidOptions } from '../said.ts';

const placeArgument = ['<flow[/topic[/partition]]>', "such as 'east->west/orders/3'"] as const;

export function pauseCommand(io: CliIo): Command {
  const command = new Command('pause')
    .description('stop copying in a flow, or in a part of it, until it is resumed')
    .argument(...placeArgument);
  return withAgentOptions(withSaidOptions(command)).action(
    async (text: string, options: FindOptions & SaidOptions) => {
      const { site, ...place } = parsePlace(text, 'any');
      const said = saidBy(io, options);
      const addresses = await agentAddresses(io, options, { at: site, flow: place.flow });
      const pause = await askFirst(io, addresses, options, (client) => {
        return client.pauseFlow(place, said);
      });
      io.out(`paused ${placeText(pause)} ${saidText(pause)}\n`);
    },
  );
}

export function resumeCommand(io: CliIo): Command {
  const command = new Command('resume')
    .description('take pauses back, and retry at once what is paused by its own trouble')
    .argument(...placeArgument);
  return withAgentOptions(command).action(async (text: string, options: FindOptions) => {
    const { site, ...place } = parsePlace(text, 'any');
    const addresses = await agentAddresses(io, options, { at: site, flow: place.flow });
    const lifted = await askFirst(io, addresses, options, (client) => {
      return client.resumeFlow(place, io.user);
    });
    for (const pause of lifted) {
      io.out(`resumed ${placeText(pause)}, paused ${saidText(pause)}\n`);
    }
    if (lifted.length === 0) io.out(`${placeText(place)} was not paused\n`);
  });
}
