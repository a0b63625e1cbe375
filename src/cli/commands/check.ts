/** `causeway check FILE`: the topology file, without any cluster. All problems are told at once. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { errorMessage, MeshError } from '../../base/errors.ts';
import { proveRoutes } from '../../topology/loop-proof.ts';
import type { Topology } from '../../topology/model.ts';
import { parseTopology } from '../../topology/parse.ts';
import { checkPemFiles } from '../../topology/pem-files.ts';
import type { CliIo } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { checkTable, type CheckJson } from '../print/check.ts';

export function checkCommand(io: CliIo): Command {
  const command = new Command('check')
    .description('check a topology file: every problem with file, line and column')
    .argument('[file]', 'the topology file', 'mesh.yaml');
  return withOutput(command).action(async (file: string, options: { output: OutputFormat }) => {
    print(io, options.output, checkJson(await readChecked(io, file)), checkTable);
  });
}

/** @throws MeshError usage (no such file), topology_invalid */
async function readChecked(io: CliIo, file: string): Promise<Topology> {
  if (file === '') throw new MeshError('usage', 'found "", wanted the path of a topology file');
  let text: string;
  try {
    text = await readFile(path.resolve(io.cwd, file), 'utf8');
  } catch (cause) {
    const why = foundInstead(cause);
    throw new MeshError('usage', `${file}: ${why}, wanted a topology file`, { cause });
  }
  const topology = parseTopology(text, file);
  await checkPemFiles(topology, file, async (named) => {
    try {
      return await readFile(path.resolve(io.cwd, named), 'utf8');
    } catch {
      return undefined;
    }
  });
  return topology;
}

function foundInstead(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT') return 'found no such file';
  if (code === 'EISDIR') return 'found a directory';
  return `cannot be read (${errorMessage(cause)})`;
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
