/** `causeway pause FLOW` and `causeway resume FLOW`: until resumed, or until the agents restart. */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import { parseFlowId } from '../../base/ids.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import { agentAddresses, askAgent, withAgentOptions, type FindOptions } from '../agents.ts';
import type { CliIo } from '../io.ts';

type Act = (client: AgentClient, flow: string) => Promise<void>;

export function pauseCommand(io: CliIo): Command {
  const act: Act = (client, flow) => client.pauseFlow(flow, io.user);
  return holdCommand(
    io,
    'pause',
    'stop copying in a flow until it is resumed or the agents restart',
    act,
  );
}

export function resumeCommand(io: CliIo): Command {
  const act: Act = (client, flow) => client.resumeFlow(flow, io.user);
  return holdCommand(io, 'resume', 'go on copying in a flow, and retry its paused partitions', act);
}

function holdCommand(io: CliIo, name: string, description: string, act: Act): Command {
  const command = new Command(name)
    .description(description)
    .argument('<flow>', 'such as east->west');
  return withAgentOptions(command).action(async (flow: string, options: FindOptions) => {
    const parsed = parseFlowId(flow);
    if (parsed === undefined) {
      throw new MeshError(
        'usage',
        `found ${JSON.stringify(flow)}, wanted a flow such as east->west`,
      );
    }
    // Every agent of the target site carries a share of the flow.
    const addresses = await agentAddresses(io, options, parsed.to);
    for (const address of addresses) {
      await askAgent(io, address, options, (client) => act(client, flow));
      io.err(`${name}: ${flow} at ${address}\n`);
    }
  });
}
