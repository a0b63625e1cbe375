/** `causeway events`: what has happened, and what came late from a site that was lost. */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import { eventKinds } from '../../base/event-kinds.ts';
import type { EventsJson, LateJson } from '../../client/answers.ts';
import type { EventsRequest } from '../../client/event-shapes.ts';
import { eventJson, lateJson } from '../../client/json-events.ts';
import { withAgentOptions } from '../agents.ts';
import { askSites, type SiteOptions } from '../ask-sites.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import { print, withOutput, type OutputFormat } from '../output.ts';
import { eventsTable, lateTable } from '../print/events.ts';
import { durationMs } from '../said.ts';

interface Options extends SiteOptions {
  readonly output: OutputFormat;
  readonly late?: boolean;
  readonly group?: string;
  readonly since?: string;
  readonly kind?: readonly string[];
  readonly limit?: string;
}

const help = `
Every site keeps its events for 30 days: resets, foreign writers, pauses, blocked topics, moves of
groups, notices. With --late: the records that were written at a site that was lost, and had not
crossed when a group failed over from it. They cross by themselves when it is back. STATE: waiting
(the site has not been seen since) · crossing · arrived · gone (the log there is another one now).

Kinds:
${Object.entries(eventKinds)
  .map(([kind, text]) => `  ${kind.padEnd(18)}${text}`)
  .join('\n')}`;

export function eventsCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('events')
    .description('what has happened at each site; with --late, what came late from a lost one')
    .option('--late', 'records that groups failed over past, and what has become of them')
    .option('--site <site>', 'only of this site')
    .option('--group <group>', 'only of this group')
    .option('--since <duration>', 'only of the last 90s, 30m, 6h, 2d')
    .option('--kind <kind...>', 'only of these kinds')
    .option('--limit <number>', 'the last so many of each site; 0: all (default: 100)')
    .addHelpText('after', help);
  return withOutput(withAgentOptions(command)).action(async (options: Options) => {
    if (options.late === true) checkLate(options);
    const isSilent = options.late === true ? await late(io, options) : await events(io, options);
    if (isSilent) exit.value = exitCodes.failed;
  });
}

async function events(io: CliIo, options: Options): Promise<boolean> {
  const { group: wanted } = options;
  const request = requestOf(io, options);
  const { answers, silent } = await askSites(io, options, (client) => client.listEvents(request));
  const found = answers.flatMap(({ site, answer }) => {
    return answer
      .filter(({ group }) => wanted === undefined || group === wanted)
      .map((event) => ({ ...(site === undefined ? {} : { site }), ...eventJson(event) }));
  });
  found.sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1));
  const answer: EventsJson = { schema: 1, events: found, silent };
  print(io, options.output, answer, eventsTable);
  return answers.length === 0;
}

async function late(io: CliIo, options: Options): Promise<boolean> {
  const { group: wanted } = options;
  const { sinceMs = -Infinity } = requestOf(io, options);
  const { answers, silent } = await askSites(io, options, (client) => client.listLate());
  const found = answers
    .flatMap(({ answer }) => answer)
    .filter(({ endedAtMs = Infinity }) => endedAtMs >= sinceMs)
    .filter(({ groups }) => wanted === undefined || groups.some(({ group }) => group === wanted));
  found.sort((a, b) => a.failedOverAtMs - b.failedOverAtMs);
  const answer: LateJson = { schema: 1, late: found.map(lateJson), silent };
  print(io, options.output, answer, lateTable);
  return answers.length === 0;
}

/** What is late is neither of a kind nor cut. @throws MeshError usage */
function checkLate({ kind, limit }: Options): void {
  const option = kind === undefined ? limit && '--limit' : '--kind';
  if (option === undefined) return;
  throw new MeshError('usage', `${option}: found with --late, wanted one of the two`);
}

/** @throws MeshError usage */
function requestOf(io: CliIo, { since, kind = [], limit = '100' }: Options): EventsRequest {
  const unknown = kind.find((one) => !Object.hasOwn(eventKinds, one));
  if (unknown !== undefined) {
    const wanted = `wanted one of ${Object.keys(eventKinds).join(', ')}`;
    throw new MeshError('usage', `--kind: found ${JSON.stringify(unknown)}, ${wanted}`);
  }
  const sinceMs = since === undefined ? undefined : io.clock.nowMs() - durationMs('--since', since);
  if (/^\d{1,9}$/.test(limit)) return { sinceMs, kinds: kind, limit: Number(limit) };
  throw new MeshError('usage', `--limit: found ${JSON.stringify(limit)}, wanted a number`);
}
