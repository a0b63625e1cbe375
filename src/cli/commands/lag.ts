/** `causeway lag`: what has not been copied yet, by flow or by partition. */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import { lagJson } from '../../client/json.ts';
import { withAgentOptions, type FindOptions } from '../agents.ts';
import type { CliIo } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { lagTable, partitionLagTable } from '../print/status.ts';
import { askAll } from './status.ts';

interface Options extends FindOptions {
  readonly output: OutputFormat;
  readonly flow?: string;
  readonly partitions?: boolean;
}

export function lagCommand(io: CliIo): Command {
  const command = new Command('lag')
    .description('records and seconds that are not copied yet')
    .option('--flow <flow>', 'only this flow, such as east->west')
    .option('-p, --partitions', 'a line per partition');
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    const { agents, silent } = await askAll(io, options, { flow: options.flow });
    if (agents.length === 0) {
      const why = silent.map((one) => `${one.grpc}: ${one.why}`).join('; ');
      throw new MeshError('peer_unavailable', `no agent answered: ${why}`);
    }
    const flows = agents
      .flatMap((agent) => agent.flows)
      .filter(({ flow }) => options.flow === undefined || flow === options.flow);
    if (flows.length === 0) {
      const known = agents.flatMap((agent) => agent.flows.map(({ flow }) => flow)).join(', ');
      throw new MeshError('usage', `--flow: found ${options.flow ?? ''}; agents run ${known}`);
    }
    print(
      io,
      options.output,
      lagJson(flows, silent),
      options.partitions === true ? partitionLagTable : lagTable,
    );
  });
}
