/** `causeway check FILE`: the topology file, without any cluster. All problems are told at once. */
import { Command } from 'commander';
import { proveRoutes } from '../../topology/loop-proof.ts';
import type { Topology } from '../../topology/model.ts';
import { readTopology } from '../agents.ts';
import type { CliIo } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { checkTable, type CheckJson } from '../print/check.ts';

export function checkCommand(io: CliIo): Command {
  const command = new Command('check')
    .description('check a topology file: every problem with file, line and column')
    .argument('[file]', 'the topology file', 'mesh.yaml');
  return withOutput(command).action(async (file: string, options: { output: OutputFormat }) => {
    print(io, options.output, checkJson(await readTopology(io, file)), checkTable);
  });
}

function checkJson(topology: Topology): CheckJson {
  const { mesh, version, hash, sites, flows } = topology;
  return {
    schema: 1,
    mesh,
    version,
    hash,
    sites: [...sites.values()].map(({ name, kafka, agents }) => ({
      site: name,
      brokers: [...kafka.brokersLocal],
      agents: agents.map(({ grpc, http }) => ({ grpc, http })),
    })),
    flows: flows.map(({ id, forward, start, compression }) => ({
      flow: id,
      forward: [...forward],
      start,
      compression,
    })),
    unreached: proveRoutes(topology).unreached.map(([born, site]) => ({ born, site })),
  };
}
