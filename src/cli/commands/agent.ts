/** `causeway agent`: runs one agent of a site until it is told to stop. */
import path from 'node:path';
import { Command, Option } from 'commander';
import { MeshError } from '../../base/errors.ts';
import { logLevels } from '../../base/log.ts';
import { runAgent } from '../../agent/run-agent.ts';
import { checkAddress } from '../agents.ts';
import { exitCodes, type CliIo } from '../io.ts';
import { softwareVersion } from '../version.ts';

interface Options {
  readonly site: string;
  readonly topology: string;
  readonly agent: string;
  readonly listen?: string;
  readonly listenHttp?: string;
  readonly logLevel: string;
  readonly logFile?: string;
}

export function agentCommand(io: CliIo): Command {
  return new Command('agent')
    .description('run an agent of a site: copies into the site, answers gRPC and HTTP')
    .requiredOption('--site <site>', 'the site, as the topology names it')
    .option('--topology <file>', 'the topology file', 'mesh.yaml')
    .option('--agent <number>', 'which of the agents that the topology lists for the site', '1')
    .option('--listen <host:port>', 'gRPC: open this, where others dial another (containers, NAT)')
    .option('--listen-http <host:port>', 'the same for HTTP')
    .addOption(
      new Option('--log-level <level>', 'least severe log').choices(logLevels).default('info'),
    )
    .option('--log-file <file>', 'write logs there instead of to stdout')
    .action(async (options: Options) => {
      const agentNumber = Number(options.agent);
      if (!Number.isInteger(agentNumber) || agentNumber < 1) {
        const found = JSON.stringify(options.agent);
        throw new MeshError('usage', `--agent: found ${found}, wanted a number from 1 on`);
      }
      const { listen, listenHttp } = options;
      const stop = new AbortController();
      const stopListening = io.onSignal(() => {
        // The first asks it to finish what is in flight; the second does not wait for that.
        if (stop.signal.aborted) io.exitNow(exitCodes.failed);
        stop.abort();
      });
      try {
        await runAgent(
          {
            siteName: options.site,
            agentNumber,
            topologyFile: path.resolve(io.cwd, options.topology),
            listenGrpc: checkListen('--listen', listen),
            listenHttp: checkListen('--listen-http', listenHttp),
            env: io.env,
            logLevel: options.logLevel,
            logTo: options.logFile === undefined ? 1 : path.resolve(io.cwd, options.logFile),
            softwareVersion: softwareVersion(),
          },
          stop.signal,
        );
      } finally {
        stopListening();
      }
    });
}

function checkListen(option: string, address: string | undefined): string | undefined {
  return address === undefined ? undefined : checkAddress(option, address);
}
