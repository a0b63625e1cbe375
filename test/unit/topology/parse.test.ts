import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { isMeshError } from '../../../src/base/errors.ts';
import { siteName } from '../../../src/base/ids.ts';
import { topologyDifferences } from '../../../src/topology/diff.ts';
import { topologyJsonSchema } from '../../../src/topology/json-schema.ts';
import { wantedLane } from '../../../src/topology/lane.ts';
import { proveRoutes } from '../../../src/topology/loop-proof.ts';
import { parseTopology } from '../../../src/topology/parse.ts';

const folder = new URL('../../../topology/', import.meta.url);
const pair = readFileSync(new URL('pair.yaml', folder), 'utf8');

function problemsOf(text: string): string[] {
  try {
    parseTopology(text, 'mesh.yaml');
  } catch (error) {
    if (isMeshError(error, 'topology_invalid')) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('topology files', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    test(`the example ${name} is right`, () => {
      const topology = parseTopology(readFileSync(new URL(name, folder), 'utf8'), name);
      assert.match(topology.hash, /^[0-9a-f]{64}$/);
    });
  }

  test('defaults are filled in; flows left out are every ordered pair', () => {
    const topology = parseTopology(pair, 'pair.yaml');
    assert.deepEqual(
      topology.flows.map(({ id }) => id),
      ['east->west', 'west->east'],
    );
    const [flow] = topology.flows;
    assert.deepEqual(flow?.topics, { include: ['.*'], exclude: [] });
    assert.equal(flow.start, 'earliest');
    assert.deepEqual(topology.groups.modes['billing'], { mode: 'single', home: 'east' });
    const hub = parseTopology(readFileSync(new URL('hub.yaml', folder), 'utf8'), 'hub.yaml');
    assert.equal(hub.flows[3]?.limit.bytesPerSecond, 20 * 1024 * 1024);
  });

  test('what Java clients of MirrorMaker 2 read is on, each part until it is turned off', () => {
    const parse = (more: string) => parseTopology(`${pair}${more}`, 'mesh.yaml');
    assert.deepEqual(parse('').mm2, { checkpoints: true, heartbeats: true });
    const off = parse('mm2: {heartbeats: false}\n');
    assert.deepEqual(off.mm2, { checkpoints: true, heartbeats: false });
    assert.deepEqual(topologyDifferences(parse(''), off), ['mm2.heartbeats: true -> false']);
    assert.match(problemsOf(`${pair}mm2: {offsetSyncs: true}\n`).join(), /unknown key mm2.offset/);
  });

  test('how long a home has to be idle is said in the defaults, or it is 30 s', () => {
    const text = (idle: string) =>
      pair.replace('  groups:\n', `  groups:\n    homeIdle: ${idle}\n`);
    assert.equal(parseTopology(pair, 'mesh.yaml').homeIdleMs, 30_000);
    assert.equal(parseTopology(text('2m'), 'mesh.yaml').homeIdleMs, 120_000);
    assert.match(problemsOf(text('soon')).join(), /homeIdle: found "soon", wanted a time such as/);
    assert.match(
      problemsOf(text('0s')).join(),
      /homeIdle: found "0s", wanted a second at the least/,
    );
    const flow = '{from: east, to: west, groups: {homeIdle: 2m}}';
    assert.match(
      problemsOf(`${pair}flows: [${flow}]\n`).join(),
      /unknown key flows.0.groups.homeIdle/,
    );
    // So is how a group is used: said of a flow it would be overlooked.
    const mode = '{from: east, to: west, groups: {modes: {audit: {mode: local}}}}';
    assert.match(
      problemsOf(`${pair}flows: [${mode}]\n`).join(),
      /unknown key flows.0.groups.modes/,
    );
  });

  test('a flow key replaces its default as a whole', () => {
    const text = `${pair}flows:\n  - {from: east, to: west, topics: {include: [a]}}\n`;
    const topology = parseTopology(text, 'mesh.yaml');
    assert.deepEqual(topology.flows[0]?.topics, { include: ['a'], exclude: [] });
  });

  test('a lane is one for all topics, or told by patterns: where two match, stamp wins', () => {
    const laneIn = (lane: string): ((topic: string) => string) => {
      const text = `${pair}flows:\n  - {from: east, to: west, lane: ${lane}}\n`;
      const [flow] = parseTopology(text, 'mesh.yaml').flows;
      assert.ok(flow !== undefined);
      return (topic) => wantedLane(flow, topic);
    };
    assert.equal(wantedLane(parseTopology(pair, 'pair.yaml').flows[0]!, 'orders'), 'stamp');
    assert.equal(laneIn('pass')('orders'), 'pass');
    const some = laneIn('{pass: ["metrics\\\\..*", "logs"], stamp: [".*audit"]}');
    const names = ['orders', 'metrics.cpu', 'logs', 'logs2', 'metrics.audit'];
    assert.deepEqual(names.map(some), ['stamp', 'pass', 'pass', 'stamp', 'stamp']);
    const most = laneIn('{default: pass, stamp: [orders]}');
    assert.deepEqual(['orders', 'metrics'].map(most), ['stamp', 'pass']);
  });

  test('the hash depends on content, not on order, comments or white space', () => {
    const moved = `# a comment\nversion: 1\n${pair.replace('version: 1\n', '')}`;
    assert.equal(parseTopology(moved, 'a').hash, parseTopology(pair, 'b').hash);
    const raised = parseTopology(pair.replace('version: 1', 'version: 2'), 'c');
    assert.notEqual(raised.hash, parseTopology(pair, 'b').hash);
    assert.deepEqual(topologyDifferences(parseTopology(pair, 'b'), raised), ['version: 1 -> 2']);
  });

  test('all problems are told at once, each with file, line and column', () => {
    const text = [
      'apiVersion: causeway/v1',
      'mesh: shop',
      'version: 0',
      'sites:',
      '  east:',
      '    kafka: {brokers: ["localhost"]}',
      '    agents: [{grpc: "localhost:7401", http: "localhost:7501"}]',
      '    colour: red',
      '  West:',
      '    kafka: {brokers: ["localhost:1"]}',
      '    agents: []',
      'defaults:',
      '  topics: {include: ["("]}',
    ].join('\n');
    const problems = problemsOf(text);
    const wanted = [
      /^mesh\.yaml:3:10: version: found 0, wanted number to be >=1/,
      /^mesh\.yaml:6:\d+: sites\.east\.kafka\.brokers.*/,
      /^mesh\.yaml:8:\d+: unknown key sites\.east\.colour/,
      /^mesh\.yaml:9:\d+: .*West/,
      /^mesh\.yaml:13:\d+: defaults\.topics\.include\.0: found "\(", wanted a regular expression/,
    ];
    for (const pattern of wanted)
      assert.ok(
        problems.some((line) => pattern.test(line)),
        `${String(pattern)} in\n${problems.join('\n')}`,
      );
  });

  test('an unknown key does not hide a broken rule; no secret is shown', () => {
    const text = pair
      .replace('home: east', 'home: nort')
      .replace('version: 1', 'version: 1\ncolour: red');
    const problems = problemsOf(text);
    assert.equal(problems.length, 2);
    assert.match(problems[0] ?? '', /unknown key colour/);
    assert.match(problems[1] ?? '', /no site nort/);
    const broker = '{ brokers: ["localhost:19092"] }';
    const sasl = 'sasl: { mechanism: plain, username: u, password: [hunter2] }';
    const [secret = ''] = problemsOf(
      pair.replace(broker, `{ brokers: ["localhost:19092"], ${sasl} }`),
    );
    assert.match(secret, /sasl\.password: found something else, wanted string/);
  });

  test('a wrong value does not hide a broken rule', () => {
    const text = pair
      .replace('home: east', 'home: nort')
      .replace('defaults:', 'defaults:\n  start: someday\n  topics: { include: ["a", "("] }');
    const problems = problemsOf(text);
    assert.equal(problems.length, 3, problems.join('\n'));
    assert.match(problems.join('\n'), /start: found "someday"[^]*found "\("[^]*no site nort/);
  });

  test('aliases that stand for too much are a problem of the file', () => {
    const levels = 'bcdefghij'.split('').map((name, index) => {
      const before = String.fromCharCode(name.charCodeAt(0) - 1);
      return `${name}: &${name} [${`*${before},`.repeat(9)}]`.replace(/,\]/, ']') + `#${index}`;
    });
    const [first = ''] = problemsOf(['a: &a [x]', ...levels].join('\n').replace(/#\d/g, ''));
    assert.match(first, /^mesh\.yaml:1:1: Excessive alias count/);
  });

  const rules: readonly [string, string, RegExp][] = [
    [
      'a flow of an unknown site',
      `${pair}flows:\n  - {from: east, to: nort}\n`,
      /^mesh\.yaml:21:\d+: no site nort; declared are east, west/,
    ],
    [
      'a flow declared twice',
      `${pair}flows:\n  - {from: east, to: west}\n  - {from: east, to: west}\n`,
      /:22:\d+: flow east->west is declared twice/,
    ],
    [
      'single without home',
      pair.replace(', home: east', ''),
      /group billing: mode single wants a home/,
    ],
    ['an unknown home', pair.replace('home: east', 'home: nort'), /no site nort/],
    [
      'one address for two agents',
      pair.replace('localhost:7402', 'localhost:7401'),
      /:13:\d+: localhost:7401 is the address of east-1 \(grpc\) already/,
    ],
    [
      'one broker for two sites',
      pair.replace('localhost:19192', 'localhost:19092'),
      /localhost:19092 is a broker of east already/,
    ],
    [
      'a key that is no site name',
      pair.replace('  west:', '  West_1:'),
      /sites: found the key "West_1", wanted a site name: a lower-case letter/,
    ],
    [
      'a reference of a kind that there is not',
      pair.replace(
        '"localhost:19092"]',
        '"localhost:19092"], sasl: {mechanism: plain, username: u, password: "${vault:X}"}',
      ),
      /password: found something else, wanted \$\{env:NAME\} or \$\{file:PATH\}/,
    ],
    ['a declared site retired', `${pair}retiredSites: [east]\n`, /east is declared as a site/],
    [
      'a key twice',
      `${pair}mesh: again\n`,
      /:20:1: found the key mesh a second time, wanted it once/,
    ],
    ['an empty file', '', /^mesh\.yaml:1:1: found no keys/],
    ['a list', '- a\n', /found a list/],
    [
      'settings to follow that are no filter',
      pair.replace('defaults:', 'defaults:\n  sync: {configs: 5}'),
      /sync\.configs: found 5, wanted true, false or \{include, exclude\}/,
    ],
    [
      'a lane that there is not',
      pair.replace('defaults:', 'defaults:\n  lane: fast'),
      /defaults\.lane: found "fast", wanted stamp, pass, or \{default/,
    ],
    [
      'a list of a lane that there is not',
      pair.replace('defaults:', 'defaults:\n  lane: {fast: ["a"]}'),
      /defaults\.lane/,
    ],
    [
      'a codec for batches that stay as they are',
      `${pair}flows:\n  - {from: east, to: west, lane: pass, compression: zstd}\n`,
      /:21:\d+: compression: zstd in flow east->west, whose lane is pass/,
    ],
  ];
  for (const [name, text, pattern] of rules) {
    test(`refused: ${name}`, () => {
      const problems = problemsOf(text);
      assert.ok(
        problems.some((line) => pattern.test(line)),
        problems.join('\n'),
      );
    });
  }

  test('what follows the source', () => {
    const syncOf = (text: string): unknown => {
      const file = pair.replace('defaults:', `defaults:\n  ${text}`);
      return parseTopology(file, 'mesh.yaml').flows[0]?.sync;
    };
    const all = { include: ['.*'], exclude: [] };
    assert.deepEqual(parseTopology(pair, 'mesh.yaml').flows[0]?.sync, { configs: all, acls: true });
    assert.deepEqual(syncOf('sync: {configs: false}'), { configs: false, acls: true });
    assert.deepEqual(syncOf('sync: {acls: false, configs: {exclude: ["retention\\\\..*"]}}'), {
      configs: { include: ['.*'], exclude: ['retention\\..*'] },
      acls: false,
    });
  });

  test('a mesh in which records would arrive twice is refused with both routes', () => {
    const triangle = `
apiVersion: causeway/v1
mesh: loop
version: 1
sites:
${['a', 'b', 'c'].map((name, index) => `  ${name}: {kafka: {brokers: ["localhost:${index + 1}"]}, agents: [{grpc: "localhost:1${index}", http: "localhost:2${index}"}]}`).join('\n')}
flows:
  - {from: a, to: b}
  - {from: a, to: c}
  - {from: b, to: c, forward: [a]}
`;
    const problems = problemsOf(triangle);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? '', /born at a would reach c twice: by a -> c and by a -> b -> c/);
    const fine = parseTopology(triangle.replace(', forward: [a]', ''), 'fine');
    assert.deepEqual(proveRoutes(fine).unreached.length, 3);
  });

  test('the JSON Schema in topology/ is the one of this version', () => {
    const written: unknown = JSON.parse(readFileSync(new URL('schema.json', folder), 'utf8'));
    assert.deepEqual(written, JSON.parse(JSON.stringify(topologyJsonSchema())));
  });

  test('site names are checked where they are made', () => {
    assert.throws(() => siteName('Bad.Name'), TypeError);
  });
});
