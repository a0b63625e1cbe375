/**
 * Apache Kafka's jars: brokers, tools, Java clients, MirrorMaker 2. Those of KAFKA_HOME serve the
 * version that they are; others are got by Maven, once per user, into a cache.
 */
import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MeshError } from '../base/errors.ts';
import { cachedFolder } from './cached-folder.ts';
import { findMaven, type ToolContext } from './java-tools.ts';
import { runProgram, type Environment } from './run-program.ts';

export const defaultKafkaVersion = '4.3.0';

/**
 * From this version of log4j on; Kafka 4 brings no binding of slf4j to it, and so would not log.
 */
const log4jVersion = '2.25.4';

const kafkaArtifacts = ['kafka_2.13', 'kafka-tools', 'connect-mirror', 'connect-runtime'];

/**
 * The class path that runs this version's classes, to be given to `java -cp`.
 * @throws MeshError usage for what is not a version, sandbox when Maven cannot get it, tool_missing
 */
export async function kafkaClasspath(version: string, context: ToolContext): Promise<string> {
  checkVersion(version);
  const home = context.env['KAFKA_HOME'];
  if (home !== undefined && (await versionOfKafkaHome(home)) === version) {
    return path.join(home, 'libs', '*');
  }
  return path.join(await cachedJars(version, context), '*');
}

/** The version to take when nobody asked for one: that of KAFKA_HOME, else the newest known. */
export async function preferredKafkaVersion(env: Environment): Promise<string> {
  const home = env['KAFKA_HOME'];
  return (home === undefined ? undefined : await versionOfKafkaHome(home)) ?? defaultKafkaVersion;
}

/** @throws MeshError usage */
export function checkVersion(version: string): void {
  if (/^\d+\.\d+\.\d+$/.test(version) && Number(version.split('.')[0]) >= 3) return;
  throw new MeshError(
    'usage',
    `not a version of Kafka: ${version}; such as ${defaultKafkaVersion}`,
  );
}

export function isKafka4(version: string): boolean {
  return Number(version.split('.')[0]) >= 4;
}

async function versionOfKafkaHome(home: string): Promise<string | undefined> {
  const names = await readdir(path.join(home, 'libs')).catch(() => []);
  for (const name of names) {
    const version = /^kafka-clients-(\d+\.\d+\.\d+)\.jar$/.exec(name)?.[1];
    if (version !== undefined) return version;
  }
  return undefined;
}

export function cacheFolder(env: Environment): string {
  const base = env['XDG_CACHE_HOME'] ?? path.join(env['HOME'] ?? os.homedir(), '.cache');
  return path.join(base, 'causeway');
}

async function cachedJars(version: string, context: ToolContext): Promise<string> {
  const pom = pomOf(version);
  const digest = createHash('sha256').update(pom).digest('hex').slice(0, 8);
  const folder = path.join(cacheFolder(context.env), `kafka-${version}-${digest}`);
  return cachedFolder(folder, async (jars, scratch) => {
    await writeFile(path.join(scratch, 'pom.xml'), pom);
    await download(version, { scratch, jars }, context);
  });
}

async function download(
  version: string,
  { scratch, jars }: { readonly scratch: string; readonly jars: string },
  context: ToolContext,
): Promise<void> {
  const maven = await findMaven(context);
  const words = `getting Apache Kafka ${version} (once)`;
  context.onProgress(words);
  let files = 0;
  const args = ['-B', '-f', path.join(scratch, 'pom.xml'), 'dependency:copy-dependencies'];
  const { code, lastLines } = await runProgram(maven, [...args, `-DoutputDirectory=${jars}`], {
    env: context.env,
    cwd: scratch,
    signal: context.signal,
    onLine: (line) => {
      if (!line.includes('Downloaded from')) return;
      files += 1;
      if (files % 10 === 0) context.onProgress(`${words}: ${files} files`);
    },
  });
  if (code === 0) return;
  const why = lastLines.find((line) => line.startsWith('[ERROR]')) ?? lastLines.at(-1) ?? '';
  throw new MeshError('sandbox', `Maven could not get Apache Kafka ${version}: ${why}`);
}

function pomOf(version: string): string {
  const dependency = (group: string, artifact: string, wanted: string): string =>
    `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
    `<version>${wanted}</version></dependency>`;
  const kafka = kafkaArtifacts.map((name) => dependency('org.apache.kafka', name, version));
  const log4j = ['log4j-slf4j-impl', 'log4j-core', 'log4j-api'].map((name) =>
    dependency('org.apache.logging.log4j', name, log4jVersion),
  );
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0">',
    '  <modelVersion>4.0.0</modelVersion>',
    '  <groupId>causeway</groupId><artifactId>kafka-jars</artifactId><version>1</version>',
    '  <packaging>pom</packaging>',
    '  <dependencies>',
    ...kafka,
    ...(isKafka4(version) ? log4j : []),
    '  </dependencies>',
    '</project>',
    '',
  ].join('\n');
}
