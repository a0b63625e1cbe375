/**
 * A chain of three sites: what is born at its head comes to its end over the middle. Positions go
 * along it and back, over two maps; MirrorMaker 2's own client counts the hops.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { siteName } from '../../src/base/ids.ts';
import { Lineage } from '../support/lineage.ts';
import { NumberedLog, readNumbered, writeTransactions } from '../support/numbered-log.ts';
import { OwnMesh } from '../support/own-mesh.ts';
import { quickReturn } from '../support/quick-return.ts';
import { Seeded } from '../support/seeded.ts';
import { javaClients, runClient } from '../support/tools.ts';
import { makeTopic } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-chain-'));
after(() => rmSync(dir, { recursive: true }));
const kafkaVersion = '4.3.0';
const questions = 400;

async function ask(mesh: OwnMesh, site: string, asked: readonly string[]): Promise<string[]> {
  const [java, ...args] = await javaClients(kafkaVersion);
  const brokers = mesh.brokers(site).join();
  const { code, lines } = await runClient(java, [...args, 'Mirror', brokers, ...asked]);
  assert.equal(code, 0, lines.join('\n'));
  return lines.filter((line) => line.includes('\t'));
}

test('along a chain of three sites and back: the very record, and two hops for its clients', async () => {
  const names = ['east', 'west', 'north'];
  const flows = '[{from: east, to: west}, {from: west, to: north, forward: [east]}]';
  await using mesh = await OwnMesh.open({
    dir,
    sites: names.map((name) => ({ name, kafkaVersion, extraConfig: quickReturn })),
    more: ['defaults: {topics: {include: [orders]}}', `flows: ${flows}`],
  });
  const east = mesh.cluster('east');
  await makeTopic(east, 'orders', 2);
  await mesh.startAgents();
  const random = new Seeded(3);
  const logs = [0, 1].map((partition) => new NumberedLog(east, 'orders', partition));
  for (const log of logs) await log.append(500, random);
  await writeTransactions(mesh.brokers('east'), logs, 10, random);
  // So that the log does not end with what was aborted.
  for (const log of logs) await log.append(200, random);

  const lineages = logs.map(
    ({ partition }) => new Lineage('east', 'orders', partition, { north: 'west.east' }),
  );
  for (const lineage of lineages) {
    const { partition } = lineage;
    for (const site of names) {
      const last = logs[partition]!.count - 1;
      const name = lineage.nameAt(site);
      const found = await until(
        `record ${last} in ${name}/${partition} at ${site}`,
        async () => {
          const read = await readNumbered(mesh.cluster(site), name, partition).catch(() => null);
          return read?.records.at(-1)?.id === last && read;
        },
        60_000,
      );
      lineage.observe(site, found);
    }
  }

  for (const from of names) {
    for (const to of names.filter((name) => name !== from)) {
      const asked = Array.from({ length: questions }, (_, index) => {
        const lineage = lineages[index % 2]!;
        return { lineage, offset: random.int(0, lineage.log(from).end) };
      });
      const positions = asked.map(({ lineage, offset }) => ({
        topic: lineage.nameAt(from),
        partition: lineage.partition,
        offset: BigInt(offset),
      }));
      const request = { group: 'any', from: siteName(from), to: siteName(to), positions };
      const answer = await until('maps to be told', async () => {
        const found = await mesh.client(to).translate(request);
        return found.verdict === 'exact' && found;
      });
      for (const [index, { target }] of answer.positions.entries()) {
        const { lineage, offset } = asked[index]!;
        const { isVery } = lineage.judge(from, to, offset, Number(target.offset));
        assert.ok(isVery, `${from}@${offset} became ${target.topic}@${target.offset ?? ''}`);
      }
    }
  }

  const commits = [123n, 321n].map((offset, partition) => {
    return { topic: 'orders', partition, offset, metadata: '' };
  });
  await east.commitGroupOffsets('billing', commits);
  const places = commits.map(({ offset, partition }) => {
    const { next } = lineages[partition]!.truth('east', 'north', Number(offset));
    return `west.east.orders-${partition}=${next}:`;
  });
  const wanted = [
    'hops=east\t2',
    'hops=west\t1',
    'upstream\teast west',
    `translate=east=billing\t${places.join(' ')}`,
  ];
  let found: string[] = [];
  await until(
    'the Java client to be told',
    async () => {
      found = await ask(
        mesh,
        'north',
        wanted.map((line) => line.split('\t')[0]!),
      );
      return found.join() === wanted.join();
    },
    60_000,
  ).catch((cause: unknown) => {
    throw new Error(found.join('; '), { cause });
  });
});
