/**
 * What a sandbox knows about itself: `sandbox.json` in its folder, which is also the mark that the
 * folder is ours to write and to empty. Each command reads it anew and replaces it whole, so that a
 * `kill` in one terminal is known to the `down` in another.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { errorMessage, MeshError } from '../base/errors.ts';
import { makeFolder } from '../base/make-folder.ts';

const port = z.int().min(1).max(65_535);

const brokerSchema = z.strictObject({
  id: z.int(),
  port,
  controllerPort: port,
  wan: z.strictObject({ port, advertised: port }).optional(),
  process: z.strictObject({ pid: z.int(), startedAt: z.string() }).optional(),
});

const stateSchema = z.strictObject({
  format: z.literal(1),
  sites: z.array(
    z.strictObject({
      name: z.string(),
      kafkaVersion: z.string(),
      clusterId: z.string(),
      heapMb: z.int(),
      brokers: z.array(brokerSchema),
    }),
  ),
});

export type SandboxState = z.infer<typeof stateSchema>;
export type SiteState = SandboxState['sites'][number];
export type BrokerState = SiteState['brokers'][number];

const fileName = 'sandbox.json';

/** undefined when there is none. @throws MeshError sandbox when it cannot be read */
export function readState(dir: string): SandboxState | undefined {
  const file = path.join(dir, fileName);
  if (!existsSync(file)) return undefined;
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const why = errorMessage(error);
    throw new MeshError('sandbox', `${file}: not the state of a sandbox: ${why}`, { cause: error });
  }
}

export function writeState(dir: string, state: SandboxState): void {
  const file = path.join(dir, fileName);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Makes the folder ours. @throws MeshError sandbox when it holds something that is not */
export async function claimFolder(dir: string): Promise<void> {
  try {
    makeFolder(path.resolve(dir));
  } catch (cause) {
    const text = `the folder ${dir} cannot be made: ${errorMessage(cause)}`;
    throw new MeshError('sandbox', text, { cause });
  }
  if (readState(dir) !== undefined) return;
  const names = await readdir(dir);
  if (names.length > 0) {
    throw new MeshError('sandbox', `${dir} is not empty and holds no sandbox: name another folder`);
  }
  writeState(dir, { format: 1, sites: [] });
}

/** Empties a folder that is ours. */
export async function emptyFolder(dir: string): Promise<void> {
  if (readState(dir) === undefined) return;
  for (const name of await readdir(dir)) {
    if (name !== fileName) rmSync(path.join(dir, name), { recursive: true, force: true });
  }
  writeState(dir, { format: 1, sites: [] });
}
