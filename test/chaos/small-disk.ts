/** A broker whose disk runs full: its data moves to a small one. Needs root, and Linux. */
import { mkdirSync, openSync, closeSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { SandboxSite } from '../../src/sandbox/sandbox.ts';
import { runClient } from '../support/tools.ts';
import { until } from '../support/until.ts';

const diskMb = 400;
const haltMsMax = 60_000;

async function run(command: string, ...args: string[]): Promise<void> {
  const { code, lines } = await runClient(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${lines.join('; ')}`);
}

/** Writes until there is no room for more. */
function fill(file: string): void {
  const chunk = Buffer.alloc(64 * 1024);
  const handle = openSync(file, 'w');
  try {
    for (;;) writeSync(handle, chunk);
  } catch (error) {
    // Any other error is not what this is for.
    if (!String(error).includes('ENOSPC')) throw error;
  } finally {
    closeSync(handle);
  }
}

/**
 * Kafka stops a broker that cannot write to any of its disks. Resolves when it runs again, with
 * room, on its own disk.
 */
export async function fillDisk(
  site: SandboxSite,
  dir: string,
  broker: number,
  whileFull: () => Promise<void>,
): Promise<void> {
  const data = path.join(dir, 'sites', site.name, `broker-${broker}`, 'data');
  const moved = `${data}.moved`;
  await site.kill(broker);
  renameSync(data, moved);
  mkdirSync(data);
  await run('mount', '-t', 'tmpfs', '-o', `size=${diskMb}m`, 'small-disk', data);
  try {
    await run('cp', '-a', '--sparse=always', `${moved}/.`, data);
    await site.start(broker);
    fill(path.join(data, 'ballast'));
    const isGone = (): boolean =>
      site.status().brokers.find(({ id }) => id === broker)?.state === 'gone';
    await until('the broker to stop for want of room', isGone, haltMsMax);
    await whileFull();
    rmSync(path.join(data, 'ballast'));
    await site.start(broker);
    await whileFull();
  } finally {
    await site.kill(broker);
    rmSync(moved, { recursive: true });
    await run('cp', '-a', '--sparse=always', data, moved).finally(() => run('umount', data));
    rmSync(data, { recursive: true });
    renameSync(moved, data);
  }
  await site.start(broker);
}
