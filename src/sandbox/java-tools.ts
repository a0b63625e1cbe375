/**
 * The programs that the sandbox cannot do without: Java to run Kafka, Maven to get it. Where they
 * are missing they are installed on Debian and its kin as root; elsewhere the error says what to
 * do.
 */
import path from 'node:path';
import { MeshError } from '../base/errors.ts';
import { findProgram, isExecutable, runProgram, type Environment } from './run-program.ts';

export interface ToolContext {
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
}

/** @throws MeshError tool_missing */
export function findJava(context: ToolContext): Promise<string> {
  const home = context.env['JAVA_HOME'];
  const atHome = home === undefined ? undefined : path.join(home, 'bin', 'java');
  if (atHome !== undefined && isExecutable(atHome)) return Promise.resolve(atHome);
  return findOrInstall('java', 'default-jre-headless', 'Java 17 or newer', context);
}

/** @throws MeshError tool_missing */
export function findMaven(context: ToolContext): Promise<string> {
  return findOrInstall('mvn', 'maven', 'Maven 3.6 or newer', context);
}

async function findOrInstall(
  program: string,
  debianPackage: string,
  words: string,
  context: ToolContext,
): Promise<string> {
  const found = findProgram(program, context.env);
  if (found !== undefined) return found;
  const apt = findProgram('apt-get', context.env);
  const byHand = `the sandbox needs ${words} (\`${program}\` is not on PATH)`;
  if (apt === undefined) throw new MeshError('tool_missing', `${byHand}: install it`);
  const command = `apt-get install ${debianPackage}`;
  if (process.getuid?.() !== 0) {
    throw new MeshError('tool_missing', `${byHand}: \`sudo ${command}\` installs it`);
  }
  context.onProgress(`installing ${words}: ${command}`);
  const options = {
    env: { ...context.env, DEBIAN_FRONTEND: 'noninteractive' },
    signal: context.signal,
  };
  await runProgram(apt, ['-qq', 'update'], options);
  const args = ['-qq', '-y', '--no-install-recommends', 'install', debianPackage];
  const { code, lastLines } = await runProgram(apt, args, options);
  const installed = findProgram(program, context.env);
  if (installed === undefined) {
    const why = lastLines.slice(-3).join('; ');
    throw new MeshError('tool_missing', `${byHand}; \`${command}\` ended with ${code}: ${why}`);
  }
  return installed;
}
