/** `causeway status`: every agent of the mesh, its flows, its peers. */
import { Command } from 'commander';
import { errorMessage } from '../../base/errors.ts';
import type { MeshStatus } from '../../client/agent-shapes.ts';
import { statusJson } from '../../client/json.ts';
import {
  agentAddresses,
  askAgent,
  withAgentOptions,
  type About,
  type FindOptions,
} from '../agents.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { statusTable } from '../print/status.ts';

type Options = FindOptions & { readonly output: OutputFormat };

export interface Asked {
  readonly agents: readonly MeshStatus[];
  readonly silent: { readonly grpc: string; readonly why: string }[];
}

/** Asks all at once; those that do not answer are named. */
export async function askAll(io: CliIo, options: FindOptions, about: About = {}): Promise<Asked> {
  const addresses = await agentAddresses(io, options, about);
  const answers = await Promise.allSettled(
    addresses.map((address) => askAgent(io, address, options, (client) => client.status())),
  );
  const agents: MeshStatus[] = [];
  const silent: { grpc: string; why: string }[] = [];
  answers.forEach((answer, index) => {
    if (answer.status === 'fulfilled') agents.push(answer.value);
    else silent.push({ grpc: addresses[index] ?? '', why: errorMessage(answer.reason) });
  });
  return { agents, silent };
}

export function statusCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('status').description(
    'how things stand: flows, lag and who holds it, agents, peers, groups',
  );
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    const { agents, silent } = await askAll(io, options);
    print(io, options.output, statusJson(agents, silent), statusTable);
    if (agents.length === 0) exit.value = exitCodes.failed;
  });
}
