/**
 * `causeway switchover`: a planned move without loss. Says what it waits for; Ctrl-C before the
 * commit calls it off.
 */
import { Command } from 'commander';
import { MeshError } from '../../base/errors.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import { reportJson, switchoverPlanJson } from '../../client/json.ts';
import type { SwitchoverRequest, SwitchoverStep } from '../../groups/updates.ts';
import { agentAddresses, askFirst } from '../agents.ts';
import { exitCodes, type CliIo, type ExitCode } from '../io.ts';
import {
  aboutWay,
  idOf,
  moveOf,
  titleOf,
  withMoveOptions,
  type MoveOptions,
} from '../move-options.ts';
import { print } from '../output.ts';
import { reportTable, switchoverTable } from '../print/failover.ts';
import { writeReport } from '../report-file.ts';

interface Options extends MoveOptions {
  readonly group: string;
  readonly producersStopped?: boolean;
  readonly wait: string;
}

const help = `
Both sites must be there. With --execute it waits until the group has no members at either site and
all that it has read has crossed; with --producers-stopped, until nothing is written there any more
and all of it has crossed. Then it commits and moves the home: start the members at the new site. A
group that went on under another id goes back with --as and its own id: --group billing.east --from
west --to east --as billing. Until the commit Ctrl-C calls it off. Exit code 3: refused, called off,
or not come true in time; nothing was changed.`;

export function switchoverCommand(io: CliIo, exit: ExitCode): Command {
  const command = new Command('switchover')
    .description('move a group to another site as planned, without loss')
    .option('--producers-stopped', 'wait until all that was written there is here as well')
    .option('--wait <seconds>', 'with --execute: give up after so long', '300')
    .addHelpText('after', help);
  return withMoveOptions(command, true).action(async (options: Options) => {
    const { group } = options;
    const move = await moveOf(io, options);
    const request: SwitchoverRequest = {
      group,
      ...move,
      as: idOf(options.as, group, move),
      execute: options.execute ?? false,
      producersStopped: options.producersStopped ?? false,
      timeoutMs: waitMs(options.wait),
      requestedBy: io.user,
    };
    const addresses = await agentAddresses(io, options, aboutWay(move));
    const calledOff = new AbortController();
    const stopListening = io.onSignal(() => calledOff.abort());
    try {
      const last = await askFirst(io, addresses, options, (client) =>
        follow(io, client, request, calledOff.signal),
      );
      await show(io, options, request, last, exit);
    } finally {
      stopListening();
    }
  });
}

function waitMs(wait: string): number {
  const seconds = Number(wait);
  if (Number.isFinite(seconds) && seconds >= 1 && seconds <= 86_400) return seconds * 1000;
  const found = JSON.stringify(wait);
  throw new MeshError('usage', `--wait: found ${found}, wanted seconds from 1 to 86400`);
}

/** The last step; what is waited for meanwhile goes to stderr. */
async function follow(
  io: CliIo,
  client: AgentClient,
  request: SwitchoverRequest,
  signal: AbortSignal,
): Promise<SwitchoverStep> {
  let last: SwitchoverStep | undefined;
  for await (const step of client.switchover(request, signal)) {
    last = step;
    if (step.kind === 'waiting' && request.execute && step.waitingFor.length > 0) {
      io.err(`waiting for: ${step.waitingFor.join('; ')}\n`);
    }
  }
  if (last !== undefined && (last.kind === 'executed' || !request.execute)) return last;
  const what = signal.aborted ? 'called off' : 'the agent ended it before it was done';
  // Perhaps it was too late: the home tells.
  const { home } = (await client.planFailover(request)).answer;
  const at =
    home === undefined ? 'has no home' : `is at home at ${home.site} (epoch ${home.epoch})`;
  throw new MeshError('precondition', `${what}: ${request.group} ${at}`);
}

async function show(
  io: CliIo,
  options: Options,
  request: SwitchoverRequest,
  last: SwitchoverStep,
  exit: ExitCode,
): Promise<void> {
  if (last.kind === 'executed') {
    const answer = reportJson(last.report);
    print(io, options.output, answer, reportTable);
    const title = titleOf('Switchover', request);
    await writeReport(io, exit, options, { title, answer, table: reportTable });
    return;
  }
  print(io, options.output, switchoverPlanJson(last.plan, last.waitingFor), switchoverTable);
  if (last.plan.refusals.length > 0) exit.value = exitCodes.condition;
}
