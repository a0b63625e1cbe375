/** `causeway sandbox`: real Kafka clusters on this machine, to be started, killed and frozen. */
import path from 'node:path';
import { Command, Option, type OutputConfiguration } from 'commander';
import type { Deps } from '../../base/deps.ts';
import { MeshError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import { MetricRegistry } from '../../base/metrics.ts';
import { preferredKafkaVersion } from '../../sandbox/kafka-jars.ts';
import { openSandbox, type SiteRequest } from '../../sandbox/open-sandbox.ts';
import { findSandbox, type Sandbox, type SandboxSite } from '../../sandbox/sandbox.ts';
import type { CliIo } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { sandboxTable, type SandboxJson } from '../print/sandbox.ts';

const keepAliveMs = 60_000;

interface DirOption {
  readonly dir: string;
}

interface StatusOptions extends DirOption {
  readonly output: OutputFormat;
}

interface UpOptions extends StatusOptions {
  readonly sites: string;
  readonly kafka?: string;
  readonly brokers: '1' | '3';
  readonly ports?: string;
  readonly fresh?: true;
  readonly foreground?: true;
}

export function sandboxCommand(io: CliIo): Command {
  const command = new Command('sandbox').description(
    'real Kafka clusters on this machine, one per site, to try things on',
  );
  const add = (name: string, description: string): Command => {
    const made = new Command(name).description(description);
    command.addCommand(withDir(made.exitOverride().configureOutput(outputOf(io))));
    return made;
  };
  withOutput(withUpOptions(add('up', 'start the clusters and write mesh.yaml'))).action(
    (options: UpOptions) => up(io, options),
  );
  withOutput(add('status', 'what runs, where, and its logs')).action((options: StatusOptions) =>
    show(io, find(io, options), options.output),
  );
  for (const verb of verbs) {
    const { name, description, act } = verb;
    add(name, description)
      .argument('<site>', 'a site; SITE/2 is its second broker alone')
      .action((place: string, options: DirOption) =>
        untilSignal(io, async (signal) => {
          const [site, broker] = placeOf(find(io, options, signal), place);
          await act(site, broker);
        }),
      );
  }
  add('down', 'stop all of it; data and logs stay').action((options: DirOption) =>
    find(io, options).down(),
  );
  return command;
}

const verbs: readonly {
  readonly name: string;
  readonly description: string;
  readonly act: (site: SandboxSite, broker: number | undefined) => Promise<void>;
}[] = [
  { name: 'kill', description: 'kill -9 a site', act: (site, broker) => site.kill(broker) },
  {
    name: 'freeze',
    description: 'stop a site in the middle of what it does (SIGSTOP)',
    act: (site, broker) => site.freeze(broker),
  },
  { name: 'thaw', description: 'let it go on', act: (site, broker) => site.thaw(broker) },
  {
    name: 'restart',
    description: 'start a site again, on its ports and data; stops it first when it runs',
    act: (site, broker) => site.restart(broker),
  },
];

function withDir(command: Command): Command {
  return command.option('--dir <folder>', 'where the sandbox lives', '.sandbox');
}

function withUpOptions(command: Command): Command {
  return command
    .option('--sites <list>', 'names of the sites', 'east,west')
    .option('--kafka <version>', 'of all sites, or east=3.9.2,west=4.3.0')
    .addOption(new Option('--brokers <number>', 'per site').choices(['1', '3']).default('1'))
    .option('--ports <list>', 'of each first broker, such as east=19092,west=19192; else free ones')
    .option('--fresh', 'delete what the folder holds of an earlier sandbox first')
    .option('--foreground', 'stay until Ctrl-C, then stop all of it');
}

function outputOf(io: CliIo): OutputConfiguration {
  return { writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) };
}

async function up(io: CliIo, options: UpOptions): Promise<void> {
  const sites = siteRequests(options, await preferredKafkaVersion(io.env));
  await untilSignal(io, async (signal) => {
    const isForeground = options.foreground === true;
    const sandbox = await openSandbox(
      {
        dir: path.resolve(io.cwd, options.dir),
        sites,
        isFresh: options.fresh === true,
        isTied: isForeground,
        onProgress: (text) => io.err(`${text}\n`),
        signal,
        env: io.env,
      },
      depsOf(io),
    );
    show(io, sandbox, options.output);
    const dir = path.relative(io.cwd, sandbox.dir) || '.';
    if (!isForeground) {
      io.err(`\ncauseway sandbox down --dir ${dir} stops it\n`);
      return;
    }
    io.err('\nCtrl-C stops it\n');
    // A listener alone would not keep the process here.
    while (!signal.aborted) await io.clock.sleep(keepAliveMs, signal).catch(() => undefined);
    await sandbox.down();
  });
}

/** Runs with a signal that fires on the first SIGINT or SIGTERM. */
async function untilSignal(io: CliIo, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const stopListening = io.onSignal(() => stop.abort());
  try {
    await work(stop.signal);
  } finally {
    stopListening();
  }
}

/** What `--sites`, `--kafka`, `--brokers` and `--ports` ask for. @throws MeshError usage */
export function siteRequests(
  options: Pick<UpOptions, 'sites' | 'kafka' | 'brokers' | 'ports'>,
  kafkaDefault: string,
): SiteRequest[] {
  const names = options.sites.split(',').map((name) => name.trim());
  const { kafka } = options;
  const isOneVersion = kafka !== undefined && !kafka.includes('=');
  const versions = isOneVersion ? new Map<string, string>() : bySite('--kafka', kafka, names);
  const ports = bySite('--ports', options.ports, names);
  const brokers = options.brokers === '3' ? 3 : 1;
  return names.map((name) => {
    const first = ports.get(name);
    return {
      name,
      kafkaVersion: (isOneVersion ? kafka : versions.get(name)) ?? kafkaDefault,
      brokers,
      ...(first === undefined
        ? {}
        : { ports: Array.from({ length: brokers }, (_, at) => Number(first) + at) }),
    };
  });
}

/** `east=1,west=2` */
function bySite(
  option: string,
  text: string | undefined,
  names: readonly string[],
): Map<string, string> {
  const found = new Map<string, string>();
  for (const part of text?.split(',') ?? []) {
    const [name = '', value = '', ...rest] = part.split('=').map((word) => word.trim());
    if (value === '' || rest.length > 0) {
      throw new MeshError('usage', `${option}: found ${part}, wanted SITE=VALUE`);
    }
    if (!names.includes(name)) throw new MeshError('usage', `${option}: no site ${name}`);
    found.set(name, value);
  }
  return found;
}

function placeOf(sandbox: Sandbox, place: string): [SandboxSite, number | undefined] {
  const [, name = place, broker] = /^([^/]+)\/(\d+)$/.exec(place) ?? [];
  return [sandbox.site(name), broker === undefined ? undefined : Number(broker)];
}

function find(io: CliIo, { dir }: DirOption, signal?: AbortSignal): Sandbox {
  const context = {
    env: io.env,
    isTied: false,
    signal,
    onProgress: (text: string) => io.err(`${text}\n`),
  };
  return findSandbox(path.resolve(io.cwd, dir), context, depsOf(io));
}

function depsOf(io: CliIo): Deps {
  return { clock: io.clock, log: silentLog, metrics: new MetricRegistry() };
}

function show(io: CliIo, sandbox: Sandbox, format: OutputFormat): void {
  const answer: SandboxJson = {
    schema: 1,
    dir: sandbox.dir,
    meshFile: sandbox.meshFile,
    sites: sandbox.status().map(({ name, kafkaVersion, log, brokers }) => ({
      site: name,
      kafka: kafkaVersion,
      log,
      brokers: brokers.map(({ id, address, state, pid }) => ({
        id,
        address,
        state,
        pid: pid ?? null,
      })),
    })),
  };
  print(io, format, answer, sandboxTable);
}
