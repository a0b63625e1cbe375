/**
 * Batches damaged in the log files of both sites, one byte each, while the brokers are down: those
 * partitions stop at the very place, everything before it is copied, all others go on; with the
 * byte put right they go on by themselves.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { AgentStatusJson } from '../../src/client/answers.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { batchAt, completeBatches, readOffset } from '../../src/records/batch-header.ts';
import type { PlainRecord } from '../../src/records/build-batch.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import type { Sandbox, SandboxSite } from '../../src/sandbox/sandbox.ts';
import { startAgent, type AgentProcess } from '../support/agent-process.ts';
import { allCodecs } from '../support/awkward-crossing.ts';
import { testDeps } from '../support/deps.ts';
import { readTopic } from '../support/read-topic.ts';
import { appendRecords, makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-damage-'));
after(() => rmSync(dir, { recursive: true }));

const topic = 'orders';
const batches = 30;
const batchRecords = 25;
const badOffset = 20 * batchRecords;
const written = batches * batchRecords;
const crossMsMax = 90_000;

interface Damage {
  /** The byte of the batch, and which of its bits. */
  readonly at: number;
  readonly bits: number;
  readonly why: RegExp;
}

/** One a partition, from partition 1 on; 0 stays whole. */
const damages: readonly Damage[] = [
  { at: batchAt.records + 9, bits: 0x04, why: /^batch_corrupt: orders\/1@500: checksum is/ },
  { at: batchAt.batchLength, bits: 0x10, why: /^batch_corrupt: orders\/2@500: / },
  { at: batchAt.batchLength + 3, bits: 0x01, why: /^batch_corrupt: orders\/3@500: / },
  {
    at: batchAt.baseOffset + 5,
    bits: 0x01,
    why: /^batch_corrupt: orders\/4@500: the log of \w+ goes on at 66036/,
  },
  {
    at: batchAt.baseOffset,
    bits: 0x80,
    why: /^batch_corrupt: orders\/5@500: the log of \w+ goes on at 525/,
  },
];
const partitions = 1 + damages.length;

function open({ name, brokers }: SandboxSite): Promise<KafkaCluster> {
  return openCluster({ name, brokers, clientId: 'damage-test' }, testDeps());
}

function batchOf(number: number): PlainRecord[] {
  return Array.from({ length: batchRecords }, (_, index) => ({
    key: Buffer.from(`key ${index}`),
    value: Buffer.from(`batch ${number}, record ${index}`),
    timestampMs: Date.now(),
  }));
}

async function write(site: SandboxSite): Promise<void> {
  await using cluster = await open(site);
  await makeTopic(cluster, topic, partitions);
  for (let partition = 0; partition < partitions; partition += 1) {
    for (let number = 0; number < batches; number += 1) {
      await appendRecords(cluster, topic, partition, batchOf(number), allCodecs[number % 5]);
    }
  }
}

/** Turns the bits of each damage over: done twice, all is as it was. */
function turnOver(site: SandboxSite): void {
  const data = path.join(dir, 'sites', site.name, 'broker-1', 'data');
  // A log that was not closed in order would be cut off at the damage when it is opened.
  assert.ok(existsSync(path.join(data, '.kafka_cleanshutdown')), `${site.name} was not stopped`);
  for (const [index, { at, bits }] of damages.entries()) {
    const file = path.join(data, `${topic}-${index + 1}`, '00000000000000000000.log');
    const log = readFileSync(file);
    const place = placeOfBatch(file, log) + at;
    log[place] = log[place]! ^ bits;
    writeFileSync(file, log);
  }
}

const places = new Map<string, number>();

/** Found before there is damage, it is where it was. */
function placeOfBatch(file: string, log: Buffer): number {
  const known = places.get(file);
  if (known !== undefined) return known;
  for (const { from } of completeBatches(log)) {
    if (readOffset(log, from) !== badOffset) continue;
    places.set(file, from);
    return from;
  }
  throw new Error(`no batch at ${badOffset}`);
}

type Partitions = AgentStatusJson['flows'][number]['partitions'];

async function statusOf(agent: AgentProcess): Promise<Partitions> {
  const { text } = await agent.get('/v1/status');
  // The agent's own contract.
  const { flows } = JSON.parse(text) as AgentStatusJson;
  const found = flows[0]?.partitions.filter((one) => one.topic === topic) ?? [];
  return found.sort((one, other) => one.partition - other.partition);
}

async function untilCopied(agent: AgentProcess, positions: readonly number[]): Promise<Partitions> {
  let seen = '';
  return until(
    `positions ${positions.join()}`,
    async () => {
      const found = await statusOf(agent);
      seen = found.map(({ position }) => position).join();
      return seen === positions.join() && found;
    },
    crossMsMax,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; seen: ${seen}\n${agent.logTail()}`, { cause: error });
  });
}

/** Partitions are tried again now and then; each is to be paused for its own damage. */
async function untilNamed(agent: AgentProcess): Promise<void> {
  const reasons: string[] = [];
  await until('all damage to be named', async () => {
    for (const { partition, state, why } of await statusOf(agent)) {
      if (state === 'paused') reasons[partition] = why;
    }
    return damages.every(({ why }, index) => why.test(reasons[index + 1] ?? ''));
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(reasons)}`, { cause: error });
  });
}

/** What has arrived is what was written, from the first record on. */
async function assertArrived(
  from: SandboxSite,
  to: SandboxSite,
  counts: readonly number[],
): Promise<void> {
  const copied = await readTopic(to.brokers, `${from.name}.${topic}`);
  for (const [partition, records] of copied.entries()) {
    const wanted = Array.from(
      { length: counts[partition]! },
      (_, offset) => `${from.name}/${topic}/${partition}@${offset}`,
    );
    const found = records.map(({ headers }) => headers.at(-1)?.value?.toString());
    assert.deepEqual(found, wanted);
    const values = records.map(({ value }) => value?.toString());
    const expected = wanted.map((_, offset) => {
      const number = Math.floor(offset / batchRecords) % batches;
      return `batch ${number}, record ${offset % batchRecords}`;
    });
    assert.deepEqual(values, expected);
  }
}

async function restart(sandbox: Sandbox): Promise<void> {
  await sandbox.down();
  for (const site of sandbox.sites) turnOver(site);
  await Promise.all(sandbox.sites.map((site) => site.start()));
}

test('a damaged batch stops its partition at its place, and nothing else, until it is mended', async () => {
  await using sandbox = await openSandbox(
    {
      dir,
      sites: [
        { name: 'east', kafkaVersion: '3.9.2' },
        { name: 'west', kafkaVersion: '4.3.0' },
      ],
      isTied: true,
    },
    testDeps(),
  );
  const { meshFile: topologyFile, sites } = sandbox;
  const mesh = readFileSync(topologyFile, 'utf8');
  writeFileSync(topologyFile, `${mesh}defaults: {topics: {include: [${topic}]}}\n`);
  const [east, west] = [sandbox.site('east'), sandbox.site('west')];
  for (const site of sites) await write(site);
  await restart(sandbox);
  await using atWest = await startAgent({ site: 'west', topologyFile, logDir: dir });
  await using atEast = await startAgent({ site: 'east', topologyFile, logDir: dir });
  const ways = [
    [east, west, atWest],
    [west, east, atEast],
  ] as const;
  const stopped = [written, ...damages.map(() => badOffset)];
  for (const [from, to, agent] of ways) {
    await untilCopied(agent, stopped);
    await untilNamed(agent);
    await assertArrived(from, to, stopped);
    await using source = await open(from);
    await appendRecords(source, topic, 0, batchOf(0));
    await untilCopied(agent, [written + batchRecords, ...stopped.slice(1)]);
  }
  await restart(sandbox);
  const all = [written + batchRecords, ...damages.map(() => written)];
  for (const [from, to, agent] of ways) {
    await untilCopied(agent, all);
    await assertArrived(from, to, all);
  }
});
