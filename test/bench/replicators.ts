/** Replicators as processes, each copying `load.*` from east to west: Causeway's agent, and MM2. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import {
  killProcess,
  processRef,
  signalProcess,
  stopProcess,
  type ProcessRef,
} from '../../src/sandbox/process-ref.ts';
import { tied } from '../../src/sandbox/run-program.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { javaWithKafka } from '../support/tools.ts';
import { say } from '../support/say.ts';
import { versions, type Stage } from './stage.ts';

export interface Running {
  readonly pid: number;
  /** The longest time that its event loop was blocked lately, when it has one. */
  readonly blockMs?: () => Promise<number>;
  stop(): Promise<void>;
}

export interface Replicator {
  readonly name: string;
  start(stage: Stage): Promise<Running>;
}

export interface CausewayOptions {
  readonly name?: string;
  /** More of the flow's keys, in YAML's flow style: `lane: pass`. */
  readonly flow?: string;
  /** Arguments for node, such as those of its profiler. */
  readonly nodeArgs?: readonly string[];
  /** `host:port` at which east is reached instead of at its own. */
  readonly east?: string;
}

let runs = 0;

export function causeway(options: CausewayOptions = {}): Replicator {
  return {
    name: options.name ?? 'Causeway',
    start: (stage) => {
      runs += 1;
      const topologyFile = path.join(stage.dir, `mesh-${runs}.yaml`);
      const more = options.flow === undefined ? '' : `, ${options.flow}`;
      // A mesh of its own each time: nothing of the last run is taken up.
      const [own = ''] = stage.sandbox.site('east').brokers;
      const text = readFileSync(stage.sandbox.meshFile, 'utf8')
        .replace(/^mesh: .*$/m, `mesh: bench-${runs}`)
        .replace(own, options.east ?? own);
      const topics = 'topics: {include: ["load.*"]}';
      writeFileSync(topologyFile, `${text}flows: [{from: east, to: west, ${topics}${more}}]\n`);
      const agent = new AgentProcess({
        site: 'west',
        topologyFile,
        logDir: stage.dir,
        nodeArgs: options.nodeArgs ?? [],
      });
      agent.launch();
      const { pid } = agent;
      if (pid === undefined) throw new Error(agent.logTail());
      return Promise.resolve({ pid, blockMs: () => blockMs(agent), stop: () => agent.stop() });
    },
  };
}

async function blockMs(agent: AgentProcess): Promise<number> {
  const { text } = await agent.get('/metrics');
  const found = /^causeway_event_loop_block_seconds\S* (\S+)/m.exec(text)?.[1];
  return Number(found) * 1000;
}

const internalTopics = [
  'replication',
  'checkpoints.topic.replication',
  'heartbeats.topic.replication',
  'offset-syncs.topic.replication',
  'offset.storage.replication',
  'status.storage.replication',
  'config.storage.replication',
];

const minimal = [
  'clusters=east,west',
  'east->west.enabled=true',
  'west->east.enabled=false',
  'east->west.topics=load.*',
  'tasks.max=4',
  'refresh.topics.interval.seconds=5',
  'sync.topic.acls.enabled=false',
  'west.plugin.discovery=service_load',
  ...internalTopics.map((name) => `${name}.factor=1`),
];

/** What the vendors advise for throughput. */
const tuned = [
  'west.producer.batch.size=524288',
  'west.producer.linger.ms=20',
  'west.producer.buffer.memory=268435456',
  'east.consumer.max.poll.records=20000',
  'east.consumer.fetch.max.bytes=52428800',
  'east.consumer.max.partition.fetch.bytes=4194304',
];

const alive = new Set<ProcessRef>();
process.once('exit', () => {
  for (const ref of alive) signalProcess(ref, 'SIGKILL');
});

export function mirrorMaker(isTuned: boolean, more: readonly string[] = []): Replicator {
  return {
    name: isTuned ? 'MM2 tuned' : 'MM2 defaults',
    start: async (stage) => {
      runs += 1;
      const file = path.join(stage.dir, `mm2-${runs}.properties`);
      const brokers = (site: string): string =>
        `${site}.bootstrap.servers=${stage.sandbox.site(site).brokers.join(',')}`;
      const places = [brokers('east'), brokers('west')];
      const lines = [...minimal, ...places, ...(isTuned ? tuned : []), ...more];
      writeFileSync(file, `${lines.join('\n')}\n`);
      const [java, ...jars] = await javaWithKafka(versions.east);
      const logConfig = path.join(stage.dir, 'mm2-log4j.properties');
      writeFileSync(logConfig, mm2Log);
      const log = openSync(path.join(stage.dir, `mm2-${runs}.log`), 'a');
      const [command, ...args] = tied(
        [
          java,
          ...jars,
          // The last one counts; with less memory MM2 falls into garbage collection.
          '-Xmx2g',
          `-Dlog4j.configuration=file:${logConfig}`,
          'org.apache.kafka.connect.mirror.MirrorMaker',
          file,
        ],
        process.env,
      );
      const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true });
      closeSync(log);
      child.unref();
      const ref = child.pid === undefined ? undefined : processRef(child.pid);
      if (ref === undefined) throw new Error('MirrorMaker could not be started');
      alive.add(ref);
      return {
        pid: ref.pid,
        stop: async () => {
          // It waits for its peers at a polite end; nothing that is measured is left by then.
          await stopProcess(ref, 3_000, systemClock).catch(() => killProcess(ref, systemClock));
          alive.delete(ref);
        },
      };
    },
  };
}

const mm2Log = [
  'log4j.rootLogger=WARN, stdout',
  'log4j.appender.stdout=org.apache.log4j.ConsoleAppender',
  'log4j.appender.stdout.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.stdout.layout.ConversionPattern=%d %p %m (%c)%n',
  '',
].join('\n');

/** By the names that the command line takes. */
export const replicators: Readonly<Record<string, () => Replicator>> = {
  causeway: () => causeway(),
  'causeway-pass': () => causeway({ name: 'Causeway, pass lane', flow: 'lane: pass' }),
  mm2: () => mirrorMaker(true),
  'mm2-defaults': () => mirrorMaker(false),
};

export function chosenReplicators(names: string): Replicator[] {
  return names.split(',').map((name) => {
    const make = replicators[name];
    if (make !== undefined) return make();
    say(`no replicator ${name}; there are: ${Object.keys(replicators).join(', ')}`);
    process.exit(2);
  });
}
