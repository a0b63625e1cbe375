/**
 * `causeway limit FLOW SIZE|none|file`: how many bytes a second a flow may fetch, over all agents of
 * its target site, in place of what the topology file says.
 */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import type { FlowLimit } from '../../client/agent-shapes.ts';
import { saidText } from '../../flow/overrides.ts';
import { parseByteSize } from '../../topology/byte-size.ts';
import { agentAddresses, askFirst, withAgentOptions, type FindOptions } from '../agents.ts';
import type { CliIo } from '../io.ts';
import { limitText } from '../print/status.ts';
import { parsePlace, saidBy, withSaidOptions, type SaidOptions } from '../said.ts';

export function limitCommand(io: CliIo): Command {
  const command = new Command('limit')
    .description('set how many bytes a second a flow may fetch, while it runs')
    .argument('<flow>', "such as 'east->west'")
    .argument('<size>', '20MiB, 1.5GB, ... a second; none; file: what the topology file says');
  return withAgentOptions(withSaidOptions(command)).action(
    async (text: string, size: string, options: FindOptions & SaidOptions) => {
      const { site, flow } = parsePlace(text, 'flow');
      const limit = parseLimit(size);
      const said = saidBy(io, options);
      const addresses = await agentAddresses(io, options, { at: site, flow });
      const { override, bytesPerSecond } = await askFirst(io, addresses, options, (client) => {
        return client.limitFlow(flow, limit, said);
      });
      const from = override === undefined ? 'as the topology file says' : saidText(override);
      io.out(`${flow}: ${limitText(bytesPerSecond)} ${from}\n`);
    },
  );
}

function parseLimit(text: string): FlowLimit {
  if (text === 'file') return 'file';
  if (text === 'none') return { bytesPerSecond: undefined };
  const plain = /^\d+$/.test(text) ? Number(text) : parseByteSize(text);
  if (plain !== undefined && plain >= 1) return { bytesPerSecond: plain };
  const found = JSON.stringify(text);
  throw new MeshError('usage', `size: found ${found}, wanted 20MiB, 1.5GB, ..., none or file`);
}
