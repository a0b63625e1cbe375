/**
 * Clients that are not ours, to prove what we write by: kcat (librdkafka), confluent-kafka (Python)
 * and the Java clients of the sandbox, with the programs of test/clients. `test/run.ts` gets all of
 * them before the tests that need Kafka; got once, they stay in the cache.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { cachedFolder } from '../../src/sandbox/cached-folder.ts';
import { findJava, findMaven, type ToolContext } from '../../src/sandbox/java-tools.ts';
import { cacheFolder, kafkaClasspath } from '../../src/sandbox/kafka-jars.ts';
import { findProgram, isExecutable, runProgram } from '../../src/sandbox/run-program.ts';
import { kafkaVersions } from './clusters.ts';

const { env } = process;
const context: ToolContext = { env, onProgress: (text) => process.stderr.write(`${text}\n`) };
const runMsMax = 60_000;
const installMsMax = 300_000;
const confluentKafkaVersion = '2.6.1';
const javaSources = path.join(path.dirname(import.meta.dirname), 'clients', 'java');
const root = path.dirname(path.dirname(import.meta.dirname));
const javaExamples = path.join(root, 'examples', 'java');
const pythonExamples = path.join(root, 'examples', 'python');
const protoFolder = path.join(root, 'proto');

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

/** Gets whatever tests may ask for; quick when all of it is there. */
export async function getTestClients(): Promise<void> {
  await kcat();
  await pythonWithConfluentKafka();
  for (const version of new Set(Object.values(kafkaVersions))) await javaClients(version);
  await pythonWithGrpc();
  await javaExample();
}

/** The path of kcat; as root on Debian it is installed. */
export async function kcat(): Promise<string> {
  return (await findOrInstall('kcat', 'kcat')) ?? missing('kcat', 'apt-get install kcat');
}

/** The path of a Python that has confluent-kafka, in an environment of its own in the cache. */
export async function pythonWithConfluentKafka(): Promise<string> {
  const name = `python-confluent-kafka-${confluentKafkaVersion}`;
  return pythonWith(name, [`confluent-kafka==${confluentKafkaVersion}`], 'confluent_kafka');
}

/** A Python with these packages, in an environment of that name in the cache. */
export async function pythonWith(
  name: string,
  packages: readonly string[],
  module: string,
): Promise<string> {
  const folder = path.join(cacheFolder(env), name);
  const python = path.join(folder, 'bin', 'python');
  if (await imports(python, module)) return python;
  await rm(folder, { recursive: true, force: true });
  await cachedFolder(folder, (made) => makePython(made, packages, module));
  return python;
}

/** A Python that has what examples/python needs, and the messages made from proto/ on its path. */
export async function pythonWithGrpc(): Promise<{
  readonly python: string;
  readonly generated: string;
}> {
  const packages = readFileSync(path.join(pythonExamples, 'requirements.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const version = digestOf([path.join(pythonExamples, 'requirements.txt')]);
  const modules = 'grpc, grpc_tools, grpc_reflection';
  const python = await pythonWith(`python-grpc-${version}`, packages, modules);
  const protos = protoFiles();
  const name = `python-messages-${version}-${digestOf(protos)}`;
  const generated = await cachedFolder(path.join(cacheFolder(env), name), async (folder) => {
    const out = ['-I', protoFolder, `--python_out=${folder}`, `--grpc_python_out=${folder}`];
    const { code, lines } = await runClient(python, ['-m', 'grpc_tools.protoc', ...out, ...protos]);
    if (code !== 0) throw new Error(`protoc ended with ${code}: ${lines.join('\n')}`);
  });
  return { python, generated };
}

/** What runs a class of examples/java, built by Maven as its readers would. */
export async function javaExample(): Promise<[string, ...string[]]> {
  const sources = readdirSync(javaExamples, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(java|xml)$/.test(name) && !name.startsWith('target'))
    .map((name) => path.join(javaExamples, name));
  const name = `java-example-${digestOf([...sources, ...protoFiles()])}`;
  const folder = await cachedFolder(path.join(cacheFolder(env), name), async (made, scratch) => {
    context.onProgress('building examples/java (once)');
    await cp(javaExamples, scratch, { recursive: true });
    const goals = ['package', 'dependency:copy-dependencies', `-DoutputDirectory=${made}`];
    const args = ['-B', '-q', '-f', path.join(scratch, 'pom.xml'), `-Dproto=${protoFolder}`];
    const maven = await findMaven(context);
    const { code, lines } = await runClient(maven, [...args, ...goals], installMsMax);
    if (code !== 0) throw new Error(`Maven ended with ${code}: ${lines.slice(-20).join('\n')}`);
    await cp(path.join(scratch, 'target', 'translate-1.jar'), path.join(made, 'translate.jar'));
  });
  return javaWith(path.join(folder, '*'));
}

function protoFiles(): string[] {
  const folder = path.join(protoFolder, 'causeway', 'v1');
  return readdirSync(folder).map((name) => path.join(folder, name));
}

function digestOf(files: readonly string[]): string {
  const digest = createHash('sha256');
  for (const file of [...files].sort()) digest.update(readFileSync(file));
  return digest.digest('hex').slice(0, 8);
}

/**
 * What runs a class of Apache Kafka's jars: `[command, ...arguments]`, to be followed by the class.
 */
export async function javaWithKafka(version: string): Promise<[string, ...string[]]> {
  return javaWith(await kafkaClasspath(version, context));
}

/** What runs a class of test/clients/java over the Java clients of that version. */
export async function javaClients(version: string): Promise<[string, ...string[]]> {
  const jars = await kafkaClasspath(version, context);
  const sources = readdirSync(javaSources).map((name) => path.join(javaSources, name));
  const name = `java-clients-${version}-${digestOf(sources)}`;
  const classes = await cachedFolder(path.join(cacheFolder(env), name), async (folder) => {
    const args = ['--release', '17', '-Xlint:all,-processing', '-d', folder, '-cp', jars];
    const { code, lines } = await runClient(await javac(), [...args, ...sources], installMsMax);
    if (code !== 0) throw new Error(`javac ended with ${code}: ${lines.join('\n')}`);
  });
  return javaWith(`${classes}${path.delimiter}${jars}`);
}

async function javaWith(classpath: string): Promise<[string, ...string[]]> {
  return [await findJava(context), '-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath];
}

async function javac(): Promise<string> {
  const besides = path.join(path.dirname(await findJava(context)), 'javac');
  if (isExecutable(besides)) return besides;
  const found = await findOrInstall('javac', 'default-jdk-headless');
  return found ?? missing('javac of Java 17 or newer', 'apt-get install default-jdk-headless');
}

async function makePython(
  folder: string,
  packages: readonly string[],
  module: string,
): Promise<void> {
  const system = await findOrInstall('python3', 'python3');
  if (system === undefined) return missing('python3', 'apt-get install python3 python3-venv');
  const make = (): Promise<Printed> => runClient(system, ['-m', 'venv', folder], installMsMax);
  let made = await make();
  if (made.code !== 0) {
    // Debian has the module in a package of its own.
    await aptInstall('python3-venv');
    made = await make();
  }
  if (made.code !== 0) missing('python3 with venv', made.lines.join('; '));
  context.onProgress(`installing ${packages.join(', ')} for Python`);
  const args = ['-m', 'pip', 'install', '--quiet', '--only-binary=:all:', ...packages];
  const python = path.join(folder, 'bin', 'python');
  const installed = await runClient(python, args, installMsMax);
  if (!(await imports(python, module))) missing(packages.join(), installed.lines.join('; '));
}

async function imports(python: string, module: string): Promise<boolean> {
  if (!existsSync(python)) return false;
  return (await runClient(python, ['-c', `import ${module}`])).code === 0;
}

async function findOrInstall(program: string, debianPackage: string): Promise<string | undefined> {
  const found = findProgram(program, env);
  if (found !== undefined) return found;
  await aptInstall(debianPackage);
  return findProgram(program, env);
}

/** As root, where there is apt-get; elsewhere nothing. */
async function aptInstall(debianPackage: string): Promise<void> {
  const apt = findProgram('apt-get', env);
  if (apt === undefined || process.getuid?.() !== 0) return;
  context.onProgress(`installing ${debianPackage}`);
  await runClient(apt, ['-qq', 'update'], installMsMax);
  const args = ['-qq', '-y', '--no-install-recommends', 'install', debianPackage];
  await runClient(apt, args, installMsMax);
}

function missing(what: string, how: string): never {
  throw new Error(`the tests with Kafka need ${what}: ${how}`);
}
