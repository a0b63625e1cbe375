/**
 * `npm run kill [-- --help]`: an agent under load is killed with -9 at random moments, and once
 * frozen while a second agent takes over. Then everything is read on both sides. The source has
 * markers in it, so that offsets do not step together, and half of the partitions hold records of
 * years back, of which the brokers forget within seconds who wrote them. With `--lane both` the
 * topology changes between the lanes from one life to the next.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentProcess } from '../support/agent-process.ts';
import { Load } from '../support/load.ts';
import { lanes, type Carried } from './copied-log.ts';
import { say } from '../support/say.ts';
import { count, oneOf, script } from '../support/script.ts';
import { Seeded } from '../support/seeded.ts';
import { isClean, topic, TormentedMesh, type Reading, type Say } from './tormented-mesh.ts';

const dayMs = 24 * 60 * 60 * 1000;
/** How old the records of each partition are: as they come, two days, two years, as they come. */
const agesMs = [0, 2 * dayMs, 730 * dayMs, 0];
/**
 * For each partition, so that there is as much for all: in the pass lane each batch is a request,
 * and agents that live for seconds are to keep up.
 */
const pauseMs = 7.5;
/** Odd, so that all codecs meet them. */
const markerRounds = 7;
/** Brokers forget producers of records this old, and with them sequences and fences, in seconds. */
const extraConfig = {
  'producer.id.expiration.ms': '5000',
  'producer.id.expiration.check.interval.ms': '1000',
};

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  /** Of each site. */
  readonly brokers: 1 | 3;
  readonly partitions: number;
  /** How long the agent is frozen in the end, at least as long as a second one takes over. */
  readonly freezeMs: number;
  readonly lane: Carried;
}

/** Rounds of work and death, then a freeze while a second agent takes over. */
async function torment(
  mesh: TormentedMesh,
  options: KillOptions,
  seeded: Seeded,
  say: Say,
): Promise<AgentProcess> {
  let agent = await mesh.startAgent();
  for (let kill = 1; kill <= options.kills; kill += 1) {
    await mesh.copying(agent);
    await sleep(seeded.next() * 2_000);
    await agent.kill();
    mesh.setLane(kill);
    say(`kill ${kill} of ${options.kills}`);
    agent = await mesh.startAgent();
  }
  await mesh.copying(agent);
  say('frozen; a second agent takes over');
  await agent.freeze();
  const frozenAt = performance.now();
  const second = await mesh.startAgent(2);
  await mesh.copying(second);
  await sleep(Math.max(2_000, options.freezeMs - (performance.now() - frozenAt)));
  await agent.thaw();
  await sleep(3_000);
  await second.stop();
  return agent;
}

export async function killAgents(options: KillOptions, say: Say): Promise<Reading> {
  const { brokers, partitions, seed, lane } = options;
  const seeded = new Seeded(seed);
  const mesh = await TormentedMesh.open({ brokers, partitions, agents: 2, extraConfig, lane, say });
  let isGood = false;
  try {
    const timestampMs = (partition: number): number =>
      Date.now() - (agesMs[partition % agesMs.length] ?? 0);
    const pace = { partitions, pauseMs: pauseMs * partitions, markerRounds };
    const load = new Load(mesh.east, { topic, ...pace, timestampMs });
    const agent = await torment(mesh, options, seeded, say);
    say(`${await load.stop()} records produced; waiting for the rest to cross`);
    const reading = await mesh.read(agent, seeded);
    await agent.stop();
    isGood = isClean(reading);
    return reading;
  } finally {
    await mesh.close(!isGood);
  }
}

type Given = Pick<KillOptions, 'kills' | 'seed' | 'partitions' | 'lane'> & {
  readonly brokers: string;
  readonly freezeSeconds: number;
};

if (process.argv[1]?.endsWith('kill-agent.ts') === true) {
  const about = 'Kill an agent under load at random moments, then read everything on both sides.';
  const given = script('kill', about)
    .option('--kills <n>', 'with -9', count, 30)
    .option('--seed <n>', 'of the moments', count, 1)
    .addOption(oneOf('--brokers <n>', 'of each site', ['1', '3']))
    .option('--partitions <n>', 'of the topic', count, 4)
    .option('--freeze-seconds <n>', 'that it is frozen while a second one takes over', count, 60)
    .addOption(oneOf('--lane <lane>', 'of the flow', lanes))
    .parse()
    .opts<Given>();
  const { brokers, freezeSeconds, ...rest } = given;
  const shape = { ...rest, brokers: brokers === '3' ? 3 : 1 } as const;
  const options = { ...shape, freezeMs: freezeSeconds * 1_000 };
  const reading = await killAgents(options, say);
  process.stdout.write(`${JSON.stringify({ ...options, ...reading }, null, 1)}\n`);
  process.exit(isClean(reading) ? 0 : 1);
}
