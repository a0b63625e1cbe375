/** The entry of the command line; everything is in `run-cli.ts`, so that tests can call it. */
import { processIo, runCli } from './run-cli.ts';

const exit = (code: number): never => process.exit(code);
exit(await runCli(processIo(exit), process.argv.slice(2)));
