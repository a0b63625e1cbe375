/** Groups that are moved twice, by two at once, under another id, and by agents that die. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Scope } from '../../src/base/scope.ts';
import {
  eventsSchema,
  failoverAllSchema,
  lateSchema,
  planSchema,
  reportSchema,
} from '../../src/client/answers.ts';
import type { KafkaCluster } from '../../src/kafka/session.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { uniqueName } from '../support/clusters.ts';
import { member } from '../support/plain-member.ts';
import { causeway, writeMesh } from '../support/mesh.ts';
import { RunningCommand } from '../support/running-command.ts';
import { appendRecords, makeTopic, openTestCluster, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-moves-'));
const scope = new Scope();
const records = 500;
const topic = uniqueName('moved');
const id = (name: string): string => `${topic}.${name}`;
const billing = id('billing');
const [audit, pay, plan, plain] = [id('audit'), id('pay'), id('plan'), id('plain')];
const tail = id('tail');
/** Enough to die in the middle of. */
const many = Array.from({ length: 40 }, (_, index) => id(`many-${String(index).padStart(2, '0')}`));

let east: KafkaCluster;
let west: KafkaCluster;
let agent: AgentProcess;
let file = '';
/** Where the copies are, in the order of the source. */
let places: readonly bigint[] = [];

after(async () => {
  await scope[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

before(async () => {
  east = scope.own(await openTestCluster('east'));
  west = scope.own(await openTestCluster('west'));
  const modes = [
    `"${plain}": {mode: off}`,
    ...[billing, ...many].map((group) => `"${group}": {mode: local}`),
    ...[pay, plan, tail].map((group) => `"${group}": {mode: single, home: east}`),
    `"${audit}": {mode: everywhere}`,
  ].join(', ');
  // The ids that others go on under are not let in: they are followed all the same.
  const include = `["${[billing, audit, pay, plan, tail, plain, ...many].join('", "')}"]`;
  const mesh = await writeMesh(dir, [
    `defaults: {topics: {include: [${topic}]}, groups: {include: ${include}, modes: {${modes}}}}`,
  ]);
  file = mesh.file;
  await makeTopic(east, topic, 1);
  const options = { topologyFile: file, logDir: dir };
  scope.own(await startAgent({ ...options, site: 'east' }));
  agent = scope.own(await startAgent({ ...options, site: 'west' }));
  await write(0, records);
  const copy = await until('the copy', async () => {
    const [found] = (await west.metadata()).topics.get(`east.${topic}`)?.partitions ?? [];
    if (found === undefined || found.leader < 0) return undefined;
    const log = await readAll(west, `east.${topic}`, 0);
    return log.length === records && log;
  });
  places = copy.map(({ offset }) => BigInt(offset));
});

async function write(from: number, count: number): Promise<void> {
  const values = Array.from({ length: count }, (_, index) => ({
    key: null,
    value: Buffer.from(String(from + index)),
    timestampMs: Date.now(),
  }));
  await appendRecords(east, topic, 0, values, 'gzip');
}

async function commit(cluster: KafkaCluster, group: string, offset: bigint): Promise<void> {
  const log = cluster === east ? topic : `east.${topic}`;
  const one = { topic: log, partition: 0, offset, metadata: 'state of the application' };
  const [answer] = await cluster.commitGroupOffsets(group, [one]);
  assert.equal(answer?.errorCode, 0);
}

/** Of the one partition that there is, at either site; undefined: no commit. */
async function committed(cluster: KafkaCluster, group: string): Promise<bigint | undefined> {
  const [found, ...more] = (await cluster.groupOffsets(group)).filter(({ offset }) => offset >= 0n);
  assert.deepEqual(more, []);
  return found?.offset;
}

function args(verb: string, group: string, from: string, to: string, ...more: string[]): string[] {
  return [verb, '--group', group, '--from', from, '--to', to, '--topology', file, ...more];
}

/** What is planned, once an agent of west knows of that position at east. */
async function planned(group: string, offset: bigint, ...more: string[]): Promise<void> {
  await until(`${group} to be known at ${offset}`, async () => {
    const { text } = await causeway(
      ...args('failover', group, 'east', 'west', '-o', 'json'),
      ...more,
    );
    const found = planSchema.safeParse(JSON.parse(text));
    return found.data?.translation.positions[0]?.source.offset === String(offset);
  });
}

async function refused(what: RegExp, ...command: string[]): Promise<void> {
  const { code, text } = await causeway(...command);
  assert.equal(code, 3, text);
  assert.match(text, what);
}

test('a group of mode local goes on under another id, and comes back', async () => {
  const other = `${billing}.east`;
  await commit(east, billing, 200n);
  await commit(west, billing, 7n);
  await planned(billing, 200n);
  const away = args('failover', billing, 'east', 'west', '--as', '{group}.{from}');
  await refused(/its own positions at west .*; --as .*\.east moves/, ...away.slice(0, -2));
  await commit(east, audit, 200n);
  await planned(audit, 200n);
  await refused(/mode everywhere: .*; nothing to do/, ...args('failover', audit, 'east', 'west'));

  // Somebody has that id already.
  const stranger = await member('west', other, [`east.${topic}`], new Map());
  await refused(/billing\.east has 1 members at west: stop them first/, ...away, '--execute');
  await stranger.disconnect();
  await commit(west, other, 9n);
  await refused(/billing\.east has commits of its own at west .*@9/, ...away, '--execute');
  const query = `group=${billing}&from=east&to=west&as=${other}&overwrite=true`;
  const shown = planSchema.parse(JSON.parse((await agent.get(`/v1/failover?${query}`)).text));
  assert.deepEqual([shown.as, shown.refusals], [other, []]);
  assert.equal(shown.translation.positions[0]?.target.offset, String(places[200]));
  const done = await causeway(...away, '--overwrite', '--execute', '-o', 'json');
  assert.equal(done.code, 0, done.text);
  const { home } = reportSchema.parse(JSON.parse(done.text));
  const standsFor = { group: billing, site: 'east' };
  assert.deepEqual(home, { site: 'west', epoch: 1, state: 'moved', standsFor });
  assert.equal(await committed(west, other), places[200]);
  assert.equal((await west.groupOffsets(other))[0]?.metadata, 'state of the application');
  assert.deepEqual([await committed(west, billing), await committed(east, billing)], [7n, 200n]);
  await refused(/goes on as .*\.east at west \(epoch 1\) already/, ...away, '--execute');

  // What it read there, on the copy, becomes a position of the group at its own site.
  await commit(west, other, places[300] ?? 0n);
  const back = args('switchover', other, 'west', 'east', '--as', billing);
  await refused(/stands in for .*billing of east: there .* --as/, ...back.slice(0, -2));
  await until('the way back', async () => {
    const { code, text } = await causeway(...back, '-o', 'json');
    const found = planSchema.parse(JSON.parse(text)).translation.positions[0];
    return code === 0 && found?.source.offset === String(places[300]);
  });
  const filed = path.join(dir, 'back.md');
  const returned = await causeway(...back, '--execute', '--report', filed);
  assert.equal(returned.code, 0, returned.text);
  assert.match(returned.text, /billing is at home at east again \(epoch 2\)/);
  const title = `# Switchover of ${other} as ${billing}, west to east\n`;
  assert.ok(readFileSync(filed, 'utf8').startsWith(title));
  assert.deepEqual([await committed(east, billing), await committed(west, billing)], [300n, 7n]);
  await refused(/the home of .*\.east is east \(epoch 2\), not west/, ...back, '--execute');
});

test('moved from two terminals at once: once, and the second says what it found', async () => {
  await commit(east, pay, 100n);
  await planned(pay, 100n);
  const two = [1, 2].map(() => {
    return new RunningCommand(args('failover', pay, 'east', 'west', '--execute'));
  });
  const codes = await Promise.all(two.map(({ code }) => code));
  const texts = two.map(({ text }) => text);
  assert.deepEqual(codes.sort(), [0, 3], texts.join('\n'));
  assert.match(texts.find((text) => !/done at/.test(text)) ?? '', /home .* west \(epoch 2\)/);
  assert.equal(await committed(west, pay), places[100]);
  await refused(/is west \(epoch 2\), not east/, ...args('failover', pay, 'east', 'west'));

  const read = new Map<string, number>();
  const there = await member('east', plan, [topic], read);
  await until('the group to read', () => read.size === records);
  const three = [1, 2].map(() => {
    return new RunningCommand(args('switchover', plan, 'east', 'west', '--execute'));
  });
  for (const one of three) await one.says(/waiting for: .* has 1 members at east/);
  await there.disconnect();
  const ends = await Promise.all(three.map(({ code }) => code));
  assert.deepEqual(ends.sort(), [0, 3], three.map(({ text }) => text).join('\n'));
  await refused(/is west \(epoch 2\), not east/, ...args('switchover', plan, 'east', 'west'));
  assert.equal(await committed(east, plan), BigInt(records));
});

test('called off, or its agent killed, before the commit: as it was', async () => {
  const read = new Map<string, number>();
  const there = await member('east', plain, [topic], read);
  await until('the group to read', () => read.size === records);
  const move = args('switchover', plain, 'east', 'west', '--execute');
  const off = new RunningCommand(move);
  await off.says(/waiting for: .* has 1 members at east/);
  off.interrupt();
  assert.equal(await off.code, 3, off.text);
  assert.match(off.text, /called off: .*plain has no home/);
  const dies = new RunningCommand(move);
  await dies.says(/waiting for: .* has 1 members at east/);
  await agent.kill();
  assert.equal(await dies.code, 1, dies.text);
  await there.disconnect();
  assert.equal(await committed(west, plain), undefined);
  agent.launch();
  await agent.ready();
  const done = await until('the agent to be asked', async () => {
    const { code, text } = await causeway(...move);
    return code === 0 && text;
  });
  assert.match(done, /plain is at home at west \(epoch 1\)/);
  const end = await committed(west, plain);
  assert.ok(end !== undefined && end > (places.at(-1) ?? 0n), `${end}`);
});

test('the agent dies in the middle of many: the rest is moved by the second run, each once', async () => {
  const at = (index: number): number => 10 * index + 5;
  for (const [index, group] of many.entries()) await commit(east, group, BigInt(at(index)));
  const last = many.at(-1) ?? '';
  await planned(last, BigInt(at(many.length - 1)));
  const sites = ['--from', 'east', '--to', 'west', '--topology', file];
  const all = ['failover', '--all-groups', ...sites, '--as', '{group}.{from}', '--execute'];
  const dies = new RunningCommand(all);
  const other = (index: number): string => `${many[index] ?? ''}.east`;
  await until('some to be moved', async () => (await committed(west, other(5))) !== undefined);
  await agent.kill();
  const code = await dies.code;
  // Of the one that it was at when it died nobody may be able to tell.
  const isOneUnknown = / unknown .* is not seen to have moved/.test(dies.text);
  assert.equal(code, isOneUnknown ? 1 : 3, dies.text);
  assert.match(dies.text, /refused .* no agent answered/);
  assert.equal(await committed(west, other(many.length - 1)), undefined);
  agent.launch();
  await agent.ready();
  const rows = await until('the second run', async () => {
    const { code, text } = await causeway(...all, '-o', 'json');
    return code === 0 && failoverAllSchema.parse(JSON.parse(text)).groups;
  });
  const moved = rows.filter(({ outcome }) => outcome === 'moved').map(({ group }) => group);
  const left = rows.filter(({ why }) => /at west \(epoch [13]\) already$/.test(why));
  assert.ok(left.length >= 5 && moved.length >= 10, JSON.stringify(rows.map(({ why }) => why)));
  // Every one of them was moved by the first run or by the second.
  const both = [...moved, ...left.map(({ group }) => group)];
  assert.deepEqual(both.sort(), [billing, ...many].sort());
  for (const index of many.keys()) {
    assert.equal(await committed(west, other(index)), places[at(index)], other(index));
  }
  assert.equal(await committed(west, `${billing}.east`), places[300]);
});

test('what a group failed over past is listed, through a restart, until it is here', async () => {
  const flow = ['east->west', '--topology', file];
  const paused = await causeway('pause', ...flow, '--why', 'the line is down');
  assert.equal(paused.code, 0, paused.text);
  await write(records, 100);
  await commit(east, tail, 450n);
  await until('the loss to be known', async () => {
    const { text } = await causeway(...args('failover', tail, 'east', 'west', '-o', 'json'));
    const found = planSchema.parse(JSON.parse(text));
    return found.lossRecordsAtLeast === '100' && found.refusals.length === 0;
  });
  const done = await causeway(...args('failover', tail, 'east', 'west', '--execute'));
  assert.equal(done.code, 0, done.text);
  const listed = async () => {
    const { status, text } = await agent.get('/v1/events/late');
    return status === 200 ? lateSchema.parse(JSON.parse(text)).late : [];
  };
  const [crossing, ...others] = await until('it to be listed', async () => {
    const found = await listed();
    return found.length > 0 && found;
  });
  assert.deepEqual(others, []);
  assert.deepEqual([crossing?.state, crossing?.from, crossing?.to], ['crossing', '500', '600']);
  await agent.stop();
  agent.launch();
  await agent.ready();
  const resumed = await causeway('resume', ...flow);
  assert.equal(resumed.code, 0, resumed.text);
  const [arrived] = await until('all of it', async () => {
    const found = await listed();
    return found[0]?.state === 'arrived' && found;
  });
  const copy = await readAll(west, `east.${topic}`, 0);
  const placed = copy.slice(records).map(({ offset, value }) => [offset, value?.toString()]);
  assert.equal(placed.length, 100);
  assert.deepEqual(arrived?.target, {
    topic: `east.${topic}`,
    from: String(placed[0]?.[0]),
    to: String(Number(placed.at(-1)?.[0]) + 1),
  });
  assert.deepEqual([arrived.records, arrived.groups], [100, [{ group: tail }]]);

  const shown = await causeway('events', '--late', '--group', tail, '--topology', file);
  assert.equal(shown.code, 0, shown.text);
  assert.match(shown.text, /^east\/\S+\/0 +\[500, 600\) +east\.\S+ \[.*\) +100 +arrived /m);
  const kinds = ['--kind', 'failover', 'late_records', '--since', '1h', '-o', 'json'];
  const told = await causeway('events', '--topology', file, ...kinds);
  const { events } = eventsSchema.parse(JSON.parse(told.text));
  const mine = events.filter(({ group, topic: name }) => group === tail || name === topic);
  assert.deepEqual(
    mine.map(({ site, kind }) => [site, kind]),
    [
      ['west', 'failover'],
      ['west', 'late_records'],
    ],
  );
  assert.deepEqual(mine[1]?.range, { site: 'east', from: '500', to: '600' });
  const wrong = await causeway('events', '--topology', file, '--since', 'ever');
  assert.equal(wrong.code, 2, wrong.text);
});
