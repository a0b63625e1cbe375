/**
 * Runs the tests: the files named, else all under test/. What needs no Kafka goes first; then two
 * clusters are started, once, for all others (unless the environment names running ones), and are
 * stopped again whatever happens. Two files run at a time: much of their time is waiting.
 *
 * All of it is one TAP stream with one summary at its end. A skipped test is a failure: nobody
 * would notice that it is no longer run.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { run } from 'node:test';
import { tap } from 'node:test/reporters';
import { Scope } from '../src/base/scope.ts';
import { openSandbox } from '../src/sandbox/open-sandbox.ts';
import { kafkaVersions } from './support/clusters.ts';
import { say } from './support/say.ts';
import { testDeps } from './support/deps.ts';
import { mergeRuns, type Outcome } from './support/merge-runs.ts';
import { getTestClients } from './support/tools.ts';

const root = path.dirname(import.meta.dirname);
/** More for the long versions of some tests. */
const fileMsMax = Number(process.env['CAUSEWAY_TEST_FILE_MS'] ?? 300_000);
const allMsMax = 30 * 60_000;

interface Pass {
  readonly folders: readonly string[];
  readonly needsKafka: boolean;
  readonly needsBuild: boolean;
  readonly concurrency: number;
}

/** In this order; what is in no folder named here belongs to the first. */
const passes: readonly Pass[] = [
  { folders: [], needsKafka: false, needsBuild: false, concurrency: 2 },
  { folders: ['kafka'], needsKafka: true, needsBuild: false, concurrency: 2 },
  { folders: ['e2e', 'chaos'], needsKafka: true, needsBuild: true, concurrency: 2 },
];

function allTests(): string[] {
  return readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => path.join(root, 'test', name))
    .sort();
}

function passOf(file: string): Pass {
  const folder = path.relative(path.join(root, 'test'), file).split(path.sep)[0] ?? '';
  return passes.find(({ folders }) => folders.includes(folder)) ?? passes[0]!;
}

function build(): void {
  const args = [path.join(root, 'scripts', 'build.mjs')];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the build failed');
}

/** Two clusters for everybody. */
async function startKafka(signal: AbortSignal): Promise<AsyncDisposable> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'causeway-test-'));
  const extraConfig = { 'log.cleaner.backoff.ms': '1000' };
  try {
    const sandbox = await openSandbox(
      {
        dir,
        sites: [
          { name: 'east', kafkaVersion: kafkaVersions.east, extraConfig },
          { name: 'west', kafkaVersion: kafkaVersions.west, extraConfig },
        ],
        isTied: true,
        onProgress: say,
        signal,
      },
      testDeps(),
    );
    for (const { name, brokers } of sandbox.sites) {
      process.env[`CAUSEWAY_TEST_${name.toUpperCase()}`] = brokers.join(',');
    }
    return {
      async [Symbol.asyncDispose]() {
        await sandbox.down();
        await rm(dir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

async function* runAll(files: readonly string[], signal: AbortSignal) {
  await using kafka = new Scope();
  const { env } = process;
  let isKafkaUp = Boolean(env['CAUSEWAY_TEST_EAST'] && env['CAUSEWAY_TEST_WEST']);
  for (const pass of passes) {
    const chosen = files.filter((file) => passOf(file) === pass);
    if (chosen.length === 0 || signal.aborted) continue;
    if (pass.needsBuild) build();
    if (pass.needsKafka) await getTestClients();
    if (pass.needsKafka && !isKafkaUp) {
      kafka.own(await startKafka(signal));
      isKafkaUp = true;
    }
    const { concurrency } = pass;
    yield run({ files: chosen, concurrency, timeout: fileMsMax, signal });
  }
}

async function main(): Promise<number> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(allMsMax)]);
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => stop.abort(new Error(`ended by ${name}`)));
  }
  const named = process.argv.slice(2).map((file) => path.resolve(file));
  const outcome: Outcome = { pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0, tests: 0 };
  const merged = mergeRuns(runAll(named.length > 0 ? named : allTests(), signal), outcome);
  for await (const text of Readable.from(merged).compose(tap)) process.stdout.write(String(text));
  if (signal.aborted) say(`not all tests were run: ${String(signal.reason)}`);
  if (outcome.skipped + outcome.todo > 0) say('a test was skipped or left to do');
  const isGood = outcome.pass > 0 && outcome.pass === outcome.tests && !signal.aborted;
  return isGood ? 0 : 1;
}

process.exitCode = await main();
