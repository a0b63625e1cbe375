/** Topology files of the two shared clusters, and the built command line to ask their agents by. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { freePorts } from '../../src/sandbox/free-ports.ts';
import { brokersOf, uniqueName, type TestSite } from './clusters.ts';
import { runClient } from './tools.ts';

const cli = path.join(path.dirname(path.dirname(import.meta.dirname)), 'bin', 'causeway');

export interface MeshFileOptions {
  readonly mesh: string;
  readonly version: number;
  /** gRPC and HTTP port of east's agent, then of west's. */
  readonly ports: readonly number[];
  /** More lines, such as `defaults: {...}`. */
  readonly more: readonly string[];
}

export function meshText({ mesh, version, ports, more }: MeshFileOptions): string {
  const site = (name: TestSite, grpc = 0, http = 0): string =>
    `  ${name}: {kafka: {brokers: ${JSON.stringify(brokersOf(name))}}, ` +
    `agents: [{grpc: "localhost:${grpc}", http: "localhost:${http}"}]}`;
  const lines = ['apiVersion: causeway/v1', `mesh: ${mesh}`, `version: ${version}`, 'sites:'];
  // Other meshes share these clusters, and would write to the same topics.
  const mm2 = 'mm2: {checkpoints: false, heartbeats: false}';
  return [
    ...lines,
    site('east', ...ports.slice(0, 2)),
    site('west', ...ports.slice(2)),
    mm2,
    ...more,
    '',
  ].join('\n');
}

/** A mesh with a name and ports of its own, version 1, written to a file of that folder. */
export async function writeMesh(
  dir: string,
  more: readonly string[],
): Promise<MeshFileOptions & { readonly file: string }> {
  const mesh = uniqueName('mesh').slice(0, 32).replace(/-$/, '');
  const ports = await freePorts(4, systemClock);
  const options = { mesh, version: 1, ports, more };
  const file = path.join(dir, `${mesh}.yaml`);
  writeFileSync(file, meshText(options));
  return { ...options, file };
}

/** Those that ask agents. */
const asking = new Set(
  'status groups lag events translate failover switchover pause resume limit'.split(' '),
);

/**
 * Runs the built command line to its end. Output of both streams, in the order it came. Agents are
 * given more time than people would have: a machine that runs tests stalls now and then.
 */
export async function causeway(
  ...args: string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const isPatient = asking.has(args[0] ?? '') && !args.includes('--timeout');
  const patience = isPatient ? ['--timeout', '30'] : [];
  const { code, lines } = await runClient(process.execPath, [cli, ...args, ...patience], 120_000);
  return { code, text: lines.join('\n') };
}
