/**
 * Clients that are not ours, to prove what we write by: kcat (librdkafka), confluent-kafka (Python)
 * and the Java clients of the sandbox. Installed when a test asks for them, once.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { findJava, type ToolContext } from '../../src/sandbox/java-tools.ts';
import { cacheFolder, kafkaClasspath } from '../../src/sandbox/kafka-jars.ts';
import { findProgram, runProgram } from '../../src/sandbox/run-program.ts';

const { env } = process;
const context: ToolContext = { env, onProgress: (text) => process.stderr.write(`${text}\n`) };
const runMsMax = 60_000;
const confluentKafkaVersion = '2.6.1';

export interface Printed {
  readonly code: number;
  readonly lines: readonly string[];
}

/** Runs a client to its end, bounded in time; its output (both streams), line by line. */
export async function runClient(
  command: string,
  args: readonly string[],
  timeoutMs = runMsMax,
): Promise<Printed> {
  const lines: string[] = [];
  const { code } = await runProgram(command, args, {
    env,
    signal: AbortSignal.timeout(timeoutMs),
    onLine: (line) => lines.push(line),
  });
  return { code, lines };
}

/** The path of kcat; as root on Debian it is installed. */
export async function kcat(): Promise<string> {
  return (await findOrInstall('kcat', 'kcat')) ?? missing('kcat', 'apt-get install kcat');
}

/** The path of a Python that has confluent-kafka, in an environment of its own in the cache. */
export async function pythonWithConfluentKafka(): Promise<string> {
  const folder = path.join(cacheFolder(env), `python-confluent-kafka-${confluentKafkaVersion}`);
  const python = path.join(folder, 'bin', 'python');
  if (await imports(python)) return python;
  const system = await findOrInstall('python3', 'python3-venv');
  if (system === undefined) return missing('python3', 'apt-get install python3 python3-venv');
  await mkdir(path.dirname(folder), { recursive: true });
  const made = await runClient(system, ['-m', 'venv', '--clear', folder]);
  if (made.code !== 0) return missing('python3-venv', made.lines.join('; '));
  const wanted = `confluent-kafka==${confluentKafkaVersion}`;
  const args = ['-m', 'pip', 'install', '--quiet', '--only-binary=:all:', wanted];
  const installed = await runClient(python, args, 300_000);
  return (await imports(python)) ? python : missing(wanted, installed.lines.join('; '));
}

/**
 * What runs a class of Apache Kafka's jars: `[command, ...arguments]`, to be followed by the class.
 */
export async function javaWithKafka(version: string): Promise<[string, ...string[]]> {
  return [await findJava(context), '-Xmx256m', '-cp', await kafkaClasspath(version, context)];
}

async function imports(python: string): Promise<boolean> {
  if (!existsSync(python)) return false;
  return (await runClient(python, ['-c', 'import confluent_kafka'])).code === 0;
}

async function findOrInstall(program: string, debianPackage: string): Promise<string | undefined> {
  const found = findProgram(program, env);
  const apt = findProgram('apt-get', env);
  if (found !== undefined || apt === undefined || process.getuid?.() !== 0) return found;
  context.onProgress(`installing ${debianPackage}`);
  await runClient(apt, ['-qq', 'update'], 120_000);
  const args = ['-qq', '-y', '--no-install-recommends', 'install', debianPackage];
  await runClient(apt, args, 300_000);
  return findProgram(program, env);
}

function missing(what: string, how: string): never {
  throw new Error(`this test needs ${what}: ${how}`);
}
