/**
 * The command line: puts the commands together, turns what they throw into a message with advice,
 * and ends with the exit code (0 ok, 1 failed, 2 usage or a bad file, 3 condition not met).
 */
import { userInfo } from 'node:os';
import { Command, CommanderError } from 'commander';
import { systemClock } from '../base/clock.ts';
import { isMeshError, MeshError, toError, type ErrorCode } from '../base/errors.ts';
import { exitCodes, ExitCode, type CliIo } from './io.ts';
import { softwareVersion } from './version.ts';

const usageCodes: ReadonlySet<ErrorCode> = new Set(['usage', 'topology_invalid', 'site_unknown']);
const conditionCodes: ReadonlySet<ErrorCode> = new Set([
  'precondition',
  'plan_changed',
  'group_active',
  'group_unknown',
]);

/** @param exitNow ends the process without waiting for anything */
export function processIo(exitNow: (code: number) => void): CliIo {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTerminal: process.stderr.isTTY,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    exitNow,
    user: process.env['USER'] ?? userName(),
    onSignal: (listener) => {
      const onInterrupt = (): void => listener('SIGINT');
      const onTerminate = (): void => listener('SIGTERM');
      process.on('SIGINT', onInterrupt);
      process.on('SIGTERM', onTerminate);
      return () => {
        process.off('SIGINT', onInterrupt);
        process.off('SIGTERM', onTerminate);
      };
    },
  };
}

/** In a container the user often has a number only. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Commands are loaded when they are asked for: most need little of the whole. */
const commands: Readonly<Record<string, (io: CliIo, exit: ExitCode) => Promise<Command>>> = {
  agent: async (io) => (await import('./commands/agent.ts')).agentCommand(io),
  check: async (io) => (await import('./commands/check.ts')).checkCommand(io),
  events: async (io, exit) => (await import('./commands/events.ts')).eventsCommand(io, exit),
  failover: async (io, exit) => (await import('./commands/failover.ts')).failoverCommand(io, exit),
  groups: async (io, exit) => (await import('./commands/groups.ts')).groupsCommand(io, exit),
  lag: async (io) => (await import('./commands/lag.ts')).lagCommand(io),
  limit: async (io) => (await import('./commands/limit.ts')).limitCommand(io),
  pause: async (io) => (await import('./commands/pause.ts')).pauseCommand(io),
  resume: async (io) => (await import('./commands/pause.ts')).resumeCommand(io),
  sandbox: async (io) => (await import('./commands/sandbox.ts')).sandboxCommand(io),
  status: async (io, exit) => (await import('./commands/status.ts')).statusCommand(io, exit),
  switchover: async (io, exit) =>
    (await import('./commands/switchover.ts')).switchoverCommand(io, exit),
  translate: async (io) => (await import('./commands/translate.ts')).translateCommand(io),
};

async function program(io: CliIo, exit: ExitCode, wanted: string | undefined): Promise<Command> {
  const root = new Command('causeway')
    .description('active-active replication of Apache Kafka between datacenters')
    .version(softwareVersion())
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  const load =
    wanted === undefined || !Object.hasOwn(commands, wanted) ? undefined : commands[wanted];
  const loaded = load === undefined ? Object.values(commands) : [load];
  for (const make of loaded) root.addCommand(await make(io, exit));
  for (const command of [root, ...root.commands]) {
    command
      .exitOverride()
      .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });
  }
  return root;
}

/** Returns the exit code. */
export async function runCli(io: CliIo, args: readonly string[]): Promise<number> {
  const exit = new ExitCode();
  try {
    await (await program(io, exit, args[0])).parseAsync([...args], { from: 'user' });
    return exit.value;
  } catch (error) {
    if (error instanceof CommanderError) return commanderCode(io, error, wantsJson(args));
    return report(io, error, wantsJson(args));
  }
}

/** The last one counts, as for the command; short options may be joined: `-ojson`, `-po json`. */
function wantsJson(args: readonly string[]): boolean {
  let format: string | undefined;
  args.forEach((arg, index) => {
    const [, joined] = /^(?:--output=|-[a-z]*?o)(.*)$/s.exec(arg) ?? [];
    if (joined !== undefined && joined !== '') format = joined;
    else if (joined === '' || arg === '--output') format = args[index + 1];
  });
  return format === 'json';
}

/** It has told people already. */
function commanderCode(io: CliIo, { exitCode, message }: CommanderError, isJson: boolean): number {
  if (exitCode === 0) return exitCodes.ok;
  if (isJson) io.out(errorJson(new MeshError('usage', message)));
  return exitCodes.usage;
}

function errorJson({ code, message, advice, details }: MeshError): string {
  return `${JSON.stringify({ error: { code, message, advice, details } }, null, 1)}\n`;
}

/** For people on stderr; for scripts that asked for JSON as an answer, too. */
function report(io: CliIo, thrown: unknown, isJson: boolean): number {
  if (!isMeshError(thrown)) {
    io.err(`causeway: ${toError(thrown).stack ?? String(thrown)}\n`);
    return exitCodes.failed;
  }
  io.err(`causeway: ${thrown.message}\n  ${thrown.advice}\n`);
  if (isJson) io.out(errorJson(thrown));
  if (usageCodes.has(thrown.code)) return exitCodes.usage;
  return conditionCodes.has(thrown.code) ? exitCodes.condition : exitCodes.failed;
}
