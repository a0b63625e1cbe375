/** What an operator may write by mistake, and what each mistake is told. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { isMeshError } from '../../../src/base/errors.ts';
import { processIo, runCli } from '../../../src/cli/run-cli.ts';
import { parseTopology } from '../../../src/topology/parse.ts';

const pair = readFileSync(new URL('../../../topology/pair.yaml', import.meta.url), 'utf8');
const eastBrokers = '{ brokers: ["localhost:19092"] }';

function problemsOf(text: string): string {
  try {
    parseTopology(text, 'mesh.yaml');
  } catch (error) {
    if (isMeshError(error, 'topology_invalid')) return error.message;
    throw error;
  }
  return '';
}

const kafka = (more: string): string => {
  assert.ok(pair.includes(eastBrokers));
  return pair.replace(eastBrokers, more);
};
const brokers = (list: string): string => kafka(`{ brokers: ${list} }`);
const tls = (keys: string): string => kafka(`{ brokers: ["localhost:19092"], tls: ${keys} }`);
const defaults = (keys: string): string => pair.replace('defaults:', `defaults:\n  ${keys}`);
const flow = (keys: string): string => `${pair}flows:\n  - {from: east, to: west, ${keys}}\n`;
const mode = (entry: string): string => pair.replace('modes:', `modes:\n      ${entry}`);

const refused: readonly [string, string, RegExp][] = [
  [
    'a key that gets lost',
    pair.replace('  west:', '  __proto__:'),
    /:\d+:3: found the key "__proto/,
  ],
  ['no form of brokers', brokers('5'), /brokers: found 5, wanted a list of host:port, or \{local/],
  [
    'a broker without port',
    brokers('["a"]'),
    /brokers\.0: found "a", wanted an address, host:port/,
  ],
  [
    'half of a form',
    brokers('{ local: ["a:1"] }'),
    /brokers\.remote: found nothing, wanted a list/,
  ],
  [
    'no size',
    defaults('limit: {bytesPerSecond: [1]}'),
    /found a list, wanted a number of bytes, or/,
  ],
  [
    'an unknown unit',
    defaults('limit: {bytesPerSecond: 1TiB}'),
    /"1TiB", wanted .*KiB, MiB or GiB/,
  ],
  ['a second document', `${pair}---\na: 1\n`, /:20:\d+: found a second document, wanted one/],
  ['UTF-16', Buffer.from(pair, 'utf16le').toString('utf8'), /:1:1: found bytes that are not UTF-8/],
  ['an unknown tag', pair.replace('version: 1', 'version: !foo 1'), /:\d+:10: found the tag !foo/],
  ['port 0', brokers('["localhost:0"]'), /brokers\.0: found "localhost:0", wanted a port from 1/],
  ['an address of 5 parts', brokers('["1.2.3.4.5:1"]'), /wanted a host name or IP address/],
  ['a host of dots', brokers('["a..b:1"]'), /wanted a host name or IP address/],
  ['a broker twice', brokers('["a:1", "A:1"]'), /kafka\.brokers: found A:1 twice, wanted it once/],
  [
    'a cert alone',
    tls('{ cert: "${file:c}" }'),
    /kafka\.tls: found cert alone, wanted key with it/,
  ],
  ['a key alone', tls('{ key: "${file:c}" }'), /kafka\.tls: found key alone, wanted cert with it/],
  [
    'a ca that is a path',
    tls('{ ca: /ca.pem }'),
    /tls\.ca: found something else, wanted a PEM cert/,
  ],
  [
    'no pattern',
    defaults('topics: {include: []}'),
    /include: found an empty list, wanted a pattern/,
  ],
  ['an own end', flow('forward: [east]'), /flow east->west: found its own end east in forward/],
  ['a retired site twice', `${pair}retiredSites: [a, a]\n`, /retiredSites: found a twice/],
  [
    'an agent address twice',
    pair.replace('localhost:7402', 'LOCALHOST:7401'),
    /LOCALHOST:7401 is the address of east-1/,
  ],
  ['changes', `${pair}changes: apply\n`, /unknown key changes/],
  [
    'in and out',
    defaults('topics: {include: [a], exclude: [a]}'),
    /found a in include and exclude/,
  ],
  ['pass beside pass', defaults('lane: {default: pass, pass: [a]}'), /the default already/],
  ['stamp beside stamp', defaults('lane: {stamp: [a]}'), /the default already/],
  ['two lanes', defaults('lane: {stamp: [a], pass: [a]}'), /found a in stamp and pass/],
  ['a pattern for a mode', mode('"a.*": {mode: local}'), /group a\.\*: found a pattern, wanted/],
  [
    'a mode of a group left out',
    mode('console-consumer-1: {mode: local}'),
    /group console-consumer-1: found mode local, but groups\.include and exclude leave it out/,
  ],
  [
    'no site',
    'apiVersion: causeway/v1\nmesh: a\nversion: 1\nsites: {}\n',
    /:4:\d+: sites: found an empty mapping, wanted a site/,
  ],
];

describe('mistakes in a topology file', () => {
  for (const [name, text, pattern] of refused) {
    test(`refused: ${name}`, () => assert.match(problemsOf(text), pattern));
  }

  test('what only looks like one is accepted', () => {
    const fine = [
      brokers('["[::1]:9092", "kafka_1:9092", "10.0.0.1:9092", "kafka.example.com.:9092"]'),
      brokers('{ local: ["a:1"], remote: ["a:1"] }'),
      defaults('topics: {exclude: [".*"]}'),
      defaults('forward: [east]'),
      mode('console-consumer-1: {mode: off}'),
    ];
    for (const text of fine) assert.equal(problemsOf(text), '');
  });
});

describe('causeway check', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'causeway-check-'));
  after(() => rmSync(folder, { recursive: true }));

  async function check(file: string): Promise<[number, string]> {
    let told = '';
    const io = processIo(() => undefined);
    const err = (text: string): void => void (told += text);
    const code = await runCli({ ...io, cwd: folder, err, out: () => undefined }, ['check', file]);
    return [code, told];
  }

  test('a file that is not there is no fault of a topology file', async () => {
    const [code, told] = await check('gone.yaml');
    assert.equal(code, 2);
    assert.match(told, /gone\.yaml: found no such file, wanted a topology file/);
    assert.doesNotMatch(told, /--topology|Correct the topology file/);
    assert.match((await check(''))[1], /found "", wanted the path of a topology file/);
    assert.match((await check('.'))[1], /\.: found a directory, wanted a topology file/);
  });

  test('a ca in a file that can be read has to be PEM', async () => {
    writeFileSync(path.join(folder, 'ca.pem'), 'no certificate');
    writeFileSync(path.join(folder, 'mesh.yaml'), tls('{ ca: "${file:ca.pem}" }'));
    const [code, told] = await check('mesh.yaml');
    assert.equal(code, 2);
    assert.match(told, /mesh\.yaml:\d+:\d+: sites\.east\.kafka\.tls\.ca: in ca\.pem found/);
    writeFileSync(path.join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n');
    assert.deepEqual(await check('mesh.yaml'), [0, '']);
    writeFileSync(path.join(folder, 'mesh.yaml'), tls('{ ca: "${file:elsewhere.pem}" }'));
    assert.deepEqual(await check('mesh.yaml'), [0, '']);
  });
});
