/** The entry of the command line; everything is in `run-cli.ts`, so that tests can call it. */
import { processIo, runCli } from './run-cli.ts';

process.exit(await runCli(processIo(), process.argv.slice(2)));
