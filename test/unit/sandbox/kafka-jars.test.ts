import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { isMeshError } from '../../../src/base/errors.ts';
import {
  checkVersion,
  defaultKafkaVersion,
  kafkaClasspath,
  preferredKafkaVersion,
} from '../../../src/sandbox/kafka-jars.ts';

const temp = mkdtempSync(path.join(os.tmpdir(), 'causeway-jars-'));
after(() => rmSync(temp, { recursive: true }));
let counter = 0;

interface World {
  readonly env: Record<string, string>;
  readonly said: string[];
  readonly cache: string;
  /** How often Maven was run. */
  readonly runs: () => number;
}

/** A world in which `mvn` is that script; `$out` is the folder that it should fill. */
function worldWith(script: string): World {
  counter += 1;
  const home = path.join(temp, String(counter));
  const bin = path.join(home, 'bin');
  mkdirSync(bin, { recursive: true });
  const file = path.join(bin, 'mvn');
  const out = 'for a; do case $a in -DoutputDirectory=*) out=${a#*=};; esac; done';
  writeFileSync(file, `#!/bin/sh\n${out}\necho run >> ${home}/runs\n${script}\n`);
  chmodSync(file, 0o755);
  const cache = path.join(home, 'cache');
  const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_CACHE_HOME: cache };
  const runs = (): number => readFileSync(`${home}/runs`, 'utf8').trim().split('\n').length;
  return { env, said: [], cache: path.join(cache, 'causeway'), runs };
}

const getsJars =
  'i=0; while [ $i -lt 25 ]; do echo "Downloaded from somewhere: x"; i=$((i+1)); done; ' +
  'echo jar > $out/kafka-clients.jar';

describe('jars by Maven', () => {
  test('into the cache, once, with progress; nothing half-done stays', async () => {
    const { env, said, cache, runs } = worldWith(getsJars);
    const context = { env, onProgress: (text: string) => said.push(text) };
    const classpath = await kafkaClasspath('4.3.0', context);
    assert.deepEqual(readdirSync(path.dirname(classpath)), ['kafka-clients.jar']);
    assert.equal(path.basename(classpath), '*');
    assert.deepEqual(said, [
      'getting Apache Kafka 4.3.0 (once)',
      'getting Apache Kafka 4.3.0 (once): 10 files',
      'getting Apache Kafka 4.3.0 (once): 20 files',
    ]);
    said.length = 0;
    assert.equal(await kafkaClasspath('4.3.0', context), classpath);
    assert.deepEqual(said, []);
    assert.equal(runs(), 1);
    assert.equal(readdirSync(cache).length, 1);
  });

  test('a version that Maven cannot get: its first error, and an empty cache', async () => {
    const { env, cache } = worldWith('echo "[ERROR] no such version"; echo "[ERROR] more"; exit 1');
    const asked = kafkaClasspath('9.9.9', { env, onProgress: () => undefined });
    await assert.rejects(asked, (error) => {
      assert.ok(isMeshError(error, 'sandbox'));
      assert.match(error.message, /Apache Kafka 9\.9\.9: \[ERROR\] no such version$/);
      return true;
    });
    assert.deepEqual(readdirSync(cache), []);
  });

  test('called off: Maven is killed, and the cache is empty', async () => {
    const { env, cache } = worldWith('exec sleep 60');
    const signal = AbortSignal.timeout(200);
    const asked = kafkaClasspath('4.3.0', { env, signal, onProgress: () => undefined });
    await assert.rejects(asked, (error) => isMeshError(error, 'aborted'));
    assert.deepEqual(readdirSync(cache), []);
  });

  test('two who want the same version at once both get it', async () => {
    const { env, cache } = worldWith(getsJars);
    const context = { env, onProgress: () => undefined };
    const [one, other] = await Promise.all([
      kafkaClasspath('3.9.2', context),
      kafkaClasspath('3.9.2', context),
    ]);
    assert.equal(one, other);
    assert.equal(readdirSync(cache).length, 1);
  });
});

test('KAFKA_HOME serves its own version, and is the preferred one', async () => {
  const { env } = worldWith(getsJars);
  const home = path.join(temp, 'kafka');
  mkdirSync(path.join(home, 'libs'), { recursive: true });
  writeFileSync(path.join(home, 'libs', 'kafka-clients-4.1.1.jar'), '');
  const withHome = { ...env, KAFKA_HOME: home };
  const context = { env: withHome, onProgress: () => undefined };
  assert.equal(await kafkaClasspath('4.1.1', context), path.join(home, 'libs', '*'));
  assert.notEqual(await kafkaClasspath('4.3.0', context), path.join(home, 'libs', '*'));
  assert.equal(await preferredKafkaVersion(withHome), '4.1.1');
  assert.equal(await preferredKafkaVersion(env), defaultKafkaVersion);
  assert.equal(await preferredKafkaVersion({ KAFKA_HOME: '/nowhere' }), defaultKafkaVersion);
});

test('without Maven, and not on Debian as root: says what to install', async () => {
  const empty = path.join(temp, 'empty');
  mkdirSync(empty);
  const env = { PATH: empty, XDG_CACHE_HOME: empty };
  const asked = kafkaClasspath('4.3.0', { env, onProgress: () => undefined });
  await assert.rejects(asked, (error) => {
    assert.ok(isMeshError(error, 'tool_missing'));
    assert.match(error.message, /Maven.*`mvn`/);
    return true;
  });
});

test('what is not a version of Kafka with KRaft is refused', () => {
  for (const wrong of [
    '',
    '4',
    '4.3',
    'latest',
    '2.8.0',
    '4.3.0 ',
    '../4.3.0',
    '4.3.0</version>',
  ]) {
    assert.throws(
      () => checkVersion(wrong),
      (error) => isMeshError(error, 'usage'),
    );
  }
  checkVersion('3.9.2');
  checkVersion('10.0.0');
});
