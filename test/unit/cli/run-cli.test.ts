/** The command line as a whole, in this process: what it refuses, and how it says so. */
import assert from 'node:assert/strict';
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { lagSchema } from '../../../src/client/answers.ts';
import { openFakeAgent } from '../../support/fake-agent.ts';
import { runCommand } from '../../support/fake-io.ts';
import { until } from '../../support/until.ts';

const dir = mkdtempSync(path.join(tmpdir(), 'causeway-cli-'));

/** @param agents gRPC addresses of east, and of west */
function meshFile(name: string, [east, west]: readonly [string, string]): string {
  const site = (port: number, grpc: string): string =>
    `{kafka: {brokers: ["127.0.0.1:${port}"]}, ` +
    `agents: [{grpc: "${grpc}", http: "127.0.0.1:${port + 1}"}]}`;
  const lines = ['apiVersion: causeway/v1', 'mesh: shop', 'version: 1', 'sites:'];
  const sites = [`  east: ${site(1, east)}`, `  west: ${site(3, west)}`];
  const file = path.join(dir, `${name}.yaml`);
  writeFileSync(file, [...lines, ...sites].join('\n'));
  return file;
}

async function listening(onConnection?: () => void): Promise<Server> {
  const server = createServer((socket) => {
    onConnection?.();
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const addressOf = (server: Server): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Nobody listens there. */
async function freeAddress(): Promise<string> {
  await using server = await listening();
  return addressOf(server);
}

test('nonsense is refused before any agent is asked', async () => {
  let connections = 0;
  await using server = await listening(() => connections++);
  await using other = await listening(() => connections++);
  const at = addressOf(server);
  const file = meshFile('asked', [at, addressOf(other)]);
  const way = ['--from', 'east', '--to', 'west'];
  const billing = ['--group', 'billing'];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['status', '--timeout', 'x'], /--timeout: found "x", wanted a number of seconds above 0/],
    [['groups', '--timeout', '0'], /--timeout: found "0"/],
    [['events', '--timeout', '-1s'], /--timeout: found "-1s"/],
    [['groups', '--site', 'nope'], /--site: no site nope; declared are east, west/],
    [['events', '--site', 'nope'], /--site: no site nope; declared are east, west/],
    [['events', '--late', '--since', 'x'], /--since: found "x"/],
    [['events', '--kind', 'home', 'typo'], /--kind: found "typo", wanted one of source_reset, /],
    [['events', '--late', '--kind', 'home'], /--kind: found with --late/],
    [['events', '--late', '--limit', '5'], /--limit: found with --late/],
    [['switchover', ...billing, ...way, '--wait', '0.2'], /--wait: found "0.2", wanted seconds/],
    [['groups', '--group', ''], /--group: found ""/],
    [['translate', ...billing, '--from', 'nope', '--to', 'west'], /--from: no site nope; declared/],
    [['translate', ...billing, '--from', 'east', '--to', 'nope'], /--to: no site nope; declared/],
    [['translate', ...billing, '--from', 'east', '--to', 'east'], /found "east" twice/],
    [['translate', '--group', '', ...way], /--group: found ""/],
    [['failover', ...billing, '--from', 'nope', '--to', 'west'], /--from: no site nope/],
    [['failover', ...billing, '--from', 'west', '--to', 'west'], /found "west" twice/],
    [['failover', ...way], /wanted either --group or --all-groups/],
    [['failover', ...billing, ...way, '--plan', 'a'], /--plan: found without --execute/],
    [['failover', ...billing, ...way, '--report', 'a.md'], /--report: found without --execute/],
    [['failover', ...billing, ...way, '--as', ''], /--as: found ""/],
    [['switchover', '--group', '', ...way], /--group: found ""/],
    [['switchover', ...billing, '--from', 'east', '--to', 'nope'], /--to: no site nope/],
    [['pause', 'west->nope'], /no site nope; declared are east, west/],
    [['pause', 'nope->west'], /found "nope->west", wanted one of east->west, west->east/],
    [
      ['pause', 'east->west', '--until', '2001-01-01'],
      /--until: found "2001-01-01", wanted a time/,
    ],
    [['resume', 'nope->west'], /found "nope->west", wanted one of/],
    [['limit', 'nope->west', 'none'], /found "nope->west", wanted one of/],
    [['lag', '--flow', 'nope'], /found "nope", wanted one of east->west, west->east/],
  ];
  for (const [args, wanted] of cases) {
    for (const more of [[], ['--connect', at]]) {
      const { code, err } = await runCommand([...args, '--topology', file, ...more]);
      assert.equal(code, 2, `${args.join(' ')}: ${err}`);
      assert.match(err, wanted);
    }
  }
  assert.equal(connections, 0);
});

test('whoever asks for JSON gets errors as JSON, however it is asked for', async () => {
  const isJson = async (...args: string[]): Promise<boolean> => {
    const { code, out } = await runCommand([...args, '--topology', '/nowhere.yaml']);
    assert.equal(code, 2);
    if (out === '') return false;
    const { error } = JSON.parse(out) as { error: { code: string } };
    return error.code === 'usage';
  };
  for (const args of [['-ojson'], ['-o', 'json'], ['--output=json'], ['-otable', '-ojson']]) {
    assert.ok(await isJson('status', ...args), args.join(' '));
  }
  assert.ok(await isJson('lag', '-pojson'));
  assert.ok(await isJson('status', '-ojson', '--nope'), 'an option that there is not');
  for (const args of [[], ['-o', 'table'], ['-ojson', '-otable']]) {
    assert.ok(!(await isJson('status', ...args)), args.join(' '));
  }
});

test('that nobody listens is said at once, of each address', async () => {
  const [east, west] = [await freeAddress(), await freeAddress()];
  const startedMs = performance.now();
  const way = ['translate', '--group', 'billing', '--from', 'east', '--to', 'west'];
  const { code, err } = await runCommand([...way, '--connect', east, west, '--timeout', '60']);
  assert.equal(code, 1);
  for (const address of [east, west]) {
    const reason = `connecting at ${address}: nobody listens there (connect ECONNREFUSED ${address})`;
    assert.ok(err.includes(reason), err);
  }
  assert.ok(performance.now() - startedMs < 30_000);
});

test('a topology file that is not there: said with what can be given instead', async () => {
  const { code, err } = await runCommand(['lag', '--topology', '/nowhere.yaml']);
  assert.equal(code, 2);
  assert.match(err, /--topology: \/nowhere\.yaml cannot be read: ENOENT.*wanted a topology file/);
});

test('agents that do not answer are named by lag, whose flows it cannot know', async () => {
  await using agent = await openFakeAgent([]);
  const silent = await freeAddress();
  const connected = ['--connect', `127.0.0.1:${agent.port}`, silent];
  const table = await runCommand(['lag', ...connected]);
  assert.match(table.out, new RegExp(`AGENT at ${silent} does not answer: connecting at`));
  assert.match(table.out, /^east->west +west-1 +starting +≥ 7 /m);
  const { out } = await runCommand(['lag', '-ojson', ...connected]);
  assert.deepEqual(lagSchema.parse(JSON.parse(out)).silent[0]?.grpc, silent);
});

test('when no site answers, that is all that groups and events say', async () => {
  const connected = ['--connect', await freeAddress(), '--timeout', '1'];
  for (const command of [['groups'], ['events'], ['events', '--late']]) {
    const { code, out } = await runCommand([...command, ...connected]);
    assert.equal(code, 1);
    assert.match(out, /^no agent answered: [^\n]*nobody listens there[^\n]*\n$/);
  }
});

const execute = ['failover', '--group', 'billing', '--from', 'east', '--to', 'west', '--execute'];

test('agents are called directly, whatever proxies the environment names', async (t) => {
  let connections = 0;
  await using proxy = await listening(() => connections++);
  const names = ['grpc_proxy', 'https_proxy', 'http_proxy', 'no_grpc_proxy', 'no_proxy'];
  const before = names.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  });
  for (const name of names) Reflect.deleteProperty(process.env, name);
  process.env['http_proxy'] = process.env['https_proxy'] = `http://${addressOf(proxy)}`;
  await using agent = await openFakeAgent([]);
  const { code, err } = await runCommand([...execute, '--connect', `127.0.0.1:${agent.port}`]);
  assert.deepEqual([code, err, connections], [0, '', 0]);
});

test('a report that cannot be written keeps the move from being asked for', async () => {
  const asked: string[] = [];
  await using agent = await openFakeAgent(asked);
  const connected = [...execute, '--connect', `127.0.0.1:${agent.port}`, '--report'];
  const folder = mkdtempSync(path.join(dir, 'folder-'));
  symlinkSync(folder, path.join(dir, 'a-folder.md'));
  for (const [file, wanted] of [
    ['report.txt', /wanted a name that ends in \.md or \.json/],
    [path.join(dir, 'a-folder.md'), /cannot be written: EISDIR.*nothing has been asked for/],
    [path.join(dir, 'none', 'a.md'), /cannot be written: ENOENT.*nothing has been asked for/],
  ] as const) {
    const { code, err } = await runCommand([...connected, file]);
    assert.equal(code, 2, err);
    assert.match(err, wanted);
  }
  assert.deepEqual(asked, []);
});

test('a move whose report cannot be written after all is told as done', async () => {
  const full = path.join(dir, 'full.md');
  symlinkSync('/dev/full', full);
  for (const output of ['table', 'json']) {
    const asked: string[] = [];
    await using agent = await openFakeAgent(asked);
    const connected = [...execute, '--connect', `127.0.0.1:${agent.port}`, '-o', output];
    const { code, out, err } = await runCommand([...connected, '--report', full]);
    assert.deepEqual([code, asked], [1, ['plan', 'execute']]);
    assert.match(err, /the move IS done; only its report is missing: .*full\.md cannot be written/);
    if (output === 'json') assert.ok(JSON.parse(out));
    else assert.match(out, /^# Failover of billing, east to west$/m);
  }
});

test('an answer that is lost is looked for, and nothing is asked for twice', async () => {
  const lost = [
    { losesAnswer: 'done', code: 0, found: /"epoch":\s*1/, outcome: 'moved' },
    { losesAnswer: 'not_done', code: 1, found: /"outcome_unknown"/, outcome: 'unknown' },
  ] as const;
  for (const { losesAnswer, code, found, outcome } of lost) {
    const asked: string[] = [];
    await using agent = await openFakeAgent(asked, { losesAnswer });
    await using second = await openFakeAgent(asked);
    const at = [agent, second].map(({ port }) => `127.0.0.1:${port}`);
    const connected = ['--connect', ...at, '-ojson'];
    const ran = await runCommand([...execute, ...connected]);
    assert.equal(ran.code, code, ran.err);
    assert.match(ran.out + ran.err, found);
    assert.deepEqual(asked, ['plan', 'execute']);
    const all = ['failover', '--all-groups', ...execute.slice(3)];
    await using other = await openFakeAgent(asked, { losesAnswer });
    const ranAll = await runCommand([...all, '--connect', `127.0.0.1:${other.port}`, '-ojson']);
    assert.equal(ranAll.code, code, ranAll.err);
    assert.match(ranAll.out, new RegExp(`"outcome":\\s*"${outcome}"`));
  }
});

test('an agent that cannot log or listen says so in a line', async (t) => {
  const told = t.mock.method(console, 'error', () => undefined);
  await using taken = await listening();
  const at = addressOf(taken);
  const file = meshFile('bound', ['192.0.2.1:7400', '127.0.0.1:5']);
  const log = path.join(dir, 'agent.log');
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [
      ['--log-file', dir],
      2,
      /^causeway: the log .* cannot be written: EISDIR[^\n]*\n {2}[^\n]*\n$/,
    ],
    [
      ['--log-file', '/proc/nope/x'],
      2,
      /^causeway: the log .* cannot be written: [^\n]*\n {2}[^\n]*\n$/,
    ],
    [[], 1, /^causeway: gRPC at 192\.0\.2\.1:7400: this machine does not have that address/],
    [['--listen', at], 1, /^causeway: gRPC at .*: something listens there already \(.*EADDRINUSE/],
    [['--listen', '127.0.0.1'], 2, /--listen: found "127.0.0.1", wanted host:port/],
    [['--listen-http', ''], 2, /--listen-http: found "", wanted host:port/],
    [
      ['--listen', await freeAddress(), '--listen-http', at],
      1,
      /^causeway: HTTP at .*: something listens there already \(.*EADDRINUSE/,
    ],
    [
      ['--listen', await freeAddress(), '--listen-http', '192.0.2.1:7500'],
      1,
      /^causeway: HTTP at 192\.0\.2\.1:7500: this machine does not have that address/,
    ],
  ];
  for (const [more, wanted, text] of cases) {
    const args = ['agent', '--site', 'east', '--topology', file, '--log-file', log, ...more];
    const { code, err } = await runCommand(args);
    assert.match(err, text);
    assert.equal(code, wanted);
  }
  assert.equal(told.mock.callCount(), 0, 'grpc-js wrote to stderr by itself');
});

test('an agent listens where it is told, and others dial what the topology says', async () => {
  const file = meshFile('listens', ['192.0.2.1:7400', '127.0.0.1:5']);
  const [grpc, http] = [await freeAddress(), await freeAddress()];
  const listens = ['--listen', grpc, '--listen-http', http];
  const log = ['--log-file', path.join(dir, 'listens.log'), '--topology', file];
  let stop = (): void => undefined;
  const running = runCommand(['agent', '--site', 'east', ...listens, ...log], (send) => {
    stop = send;
  });
  const isOpen = (address: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(Number(address.split(':')[1]), '127.0.0.1');
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  for (const address of [grpc, http]) await until(`${address} to open`, () => isOpen(address));
  stop();
  const { code, err } = await running;
  assert.deepEqual([code, err], [0, '']);
});
