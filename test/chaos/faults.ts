/**
 * `npm run faults [-- --help]`: two sites of three brokers each, an agent, a load that never stops;
 * leaders move, brokers are restarted, killed and frozen, and run out of disk (which needs root),
 * at the source and at the target. After each everything crosses again; in the end all is read.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxSite } from '../../src/sandbox/sandbox.ts';
import { moveLeaders } from '../support/broker-orders.ts';
import { Load } from '../support/load.ts';
import { say } from '../support/say.ts';
import { count, oneOf, script } from '../support/script.ts';
import { Seeded } from '../support/seeded.ts';
import { lanes, type Carried } from './copied-log.ts';
import { fillDisk } from './small-disk.ts';
import {
  isClean,
  remoteTopic,
  topic,
  TormentedMesh,
  type Reading,
  type Say,
} from './tormented-mesh.ts';

const partitions = 6;
const brokers = [1, 2, 3];
/** Six brokers share this machine: the load is to be steady, not heavy. */
const pauseMs = 100;

/** As clusters are run: a record that was acknowledged is at two brokers at least. */
const extraConfig = { 'min.insync.replicas': '2', 'broker.session.timeout.ms': '6000' };

interface Victim {
  readonly mesh: TormentedMesh;
  readonly site: SandboxSite;
  /** Of them one is chosen. */
  readonly broker: number;
  readonly freezeMs: number;
  /** Everything that was there when it was called has crossed. */
  readonly crossed: () => Promise<void>;
}

type Act = (victim: Victim) => Promise<void>;

export const acts = {
  'leaders move': async ({ mesh, site }) => {
    const isSource = site.name === 'east';
    await moveLeaders(isSource ? mesh.east : mesh.west, isSource ? topic : remoteTopic);
  },
  restart: ({ site, broker }) => site.restart(broker),
  kill: async ({ site, broker, crossed }) => {
    await site.kill(broker);
    await crossed();
    await site.start(broker);
  },
  rolling: async ({ site, crossed }) => {
    for (const broker of brokers) {
      await site.restart(broker);
      await crossed();
    }
  },
  freeze: async ({ site, broker, freezeMs, crossed }) => {
    await site.freeze(broker);
    // All goes on by the other two, well before it wakes.
    await Promise.all([sleep(freezeMs), crossed()]);
    await site.thaw(broker);
  },
  'disk full': ({ mesh, site, broker, crossed }) => fillDisk(site, mesh.dir, broker, crossed),
} as const satisfies Record<string, Act>;

export interface FaultOptions {
  readonly seed: number;
  readonly freezeMs: number;
  readonly lane: Carried;
  readonly faults: readonly (readonly [act: keyof typeof acts, site: 'east' | 'west'])[];
}

export const allFaults = Object.keys(acts).flatMap((act) =>
  (['east', 'west'] as const).map((site) => [act as keyof typeof acts, site] as const),
);

export async function causeFaults(options: FaultOptions, say: Say): Promise<Reading> {
  const seeded = new Seeded(options.seed);
  const mesh = await TormentedMesh.open({
    brokers: 3,
    partitions,
    agents: 1,
    extraConfig,
    lane: options.lane,
    say,
  });
  let isGood = false;
  try {
    const load = new Load(mesh.east, { topic, partitions, pauseMs });
    const agent = await mesh.startAgent();
    await mesh.copying(agent);
    for (const [act, name] of options.faults) {
      const [site, broker] = [mesh.sandbox.site(name), seeded.pick(brokers)];
      const crossed = (): Promise<void> => mesh.caughtUp(agent);
      const began = performance.now();
      await acts[act]({ mesh, site, broker, freezeMs: options.freezeMs, crossed });
      const acted = performance.now();
      await crossed();
      const [during, after] = [acted - began, performance.now() - acted].map(
        (ms) => `${(ms / 1000).toFixed(1)} s`,
      );
      say(`${act} at ${name}, broker ${broker}: ${during}, all had crossed ${after} later`);
    }
    say(`${await load.stop()} records acknowledged; waiting for the rest to cross`);
    const reading = await mesh.read(agent, seeded);
    await agent.stop();
    isGood = isClean(reading);
    return reading;
  } finally {
    await mesh.close(!isGood);
  }
}

if (process.argv[1]?.endsWith('faults.ts') === true) {
  const about = 'Cause faults at two sites of three brokers each under load, then read everything.';
  const command = script('faults', about)
    .option('--seed <n>', 'of what is random', count, 1)
    .option('--only <fault>', `those with this in their names: ${Object.keys(acts).join(', ')}`, '')
    .option('--site <site>', 'those at this site only: east, west', '')
    .option('--freeze-seconds <n>', 'that a broker is frozen', count, 20)
    .addOption(oneOf('--lane <lane>', 'of the flow', lanes))
    .parse();
  const given = command.opts<{
    seed: number;
    only: string;
    site: string;
    freezeSeconds: number;
    lane: Carried;
  }>();
  const { seed, lane, only, freezeSeconds } = given;
  const faults = allFaults.filter(([act, site]) => act.includes(only) && site.includes(given.site));
  if (faults.length === 0) command.error(`error: no fault '${only}' at a site '${given.site}'`);
  const options = { seed, freezeMs: freezeSeconds * 1_000, lane, faults };
  const reading = await causeFaults(options, say);
  process.stdout.write(`${JSON.stringify(reading, null, 1)}\n`);
  process.exit(isClean(reading) ? 0 : 1);
}
