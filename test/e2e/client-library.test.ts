/**
 * The client library, by the example that the documentation shows, in processes of its own: follows
 * a switchover there and back, moves by itself when the site is killed, starts without any agent.
 * What was handled is compared with what the logs hold.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Scope } from '../../src/base/scope.ts';
import { translateSchema } from '../../src/client/answers.ts';
import type { StartReport } from '../../src/client/index.ts';
import { openCluster, type KafkaCluster } from '../../src/kafka/session.ts';
import { openSandbox } from '../../src/sandbox/open-sandbox.ts';
import { findSandbox } from '../../src/sandbox/sandbox.ts';
import { startAgent } from '../support/agent-process.ts';
import { kafkaVersions, type TestSite } from '../support/clusters.ts';
import { testDeps } from '../support/deps.ts';
import { ExampleProcess, type Handled } from '../support/example-process.ts';
import { causeway } from '../support/mesh.ts';
import { appendRecords, makeTopic, readAll } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-client-'));
const deps = testDeps();
const context = { env: process.env, isTied: true, onProgress: () => undefined };
const extraConfig = {
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
};
const group = 'billing';
const other = { east: 'west', west: 'east' } as const;

after(async () => {
  await findSandbox(dir, context, deps).down();
  rmSync(dir, { recursive: true });
});

const keyOf = ({ born, topic, partition, offset }: Handled): string =>
  `${born}/${topic}/${partition}@${offset}`;

/** How often each record was handled, by its place of birth. */
function counts(handled: readonly Handled[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const one of handled) found.set(keyOf(one), (found.get(keyOf(one)) ?? 0) + 1);
  return found;
}

/** Places of birth of all records, from the logs in which they were born. */
async function born(clusters: Record<TestSite, KafkaCluster>): Promise<string[]> {
  const found = [await bornAt(clusters.east, 'east'), await bornAt(clusters.west, 'west')];
  return found.flat().sort();
}

async function bornAt(cluster: KafkaCluster, site: TestSite): Promise<string[]> {
  const found: string[] = [];
  for (const partition of [0, 1]) {
    const records = await readAll(cluster, 'orders', partition);
    found.push(...records.map(({ offset }) => `${site}/orders/${partition}@${offset}`));
  }
  return found;
}

test('the library follows the group, and handles every record', async (context) => {
  await using scope = new Scope();
  const sites = (['east', 'west'] as const).map((name) => ({
    name,
    kafkaVersion: kafkaVersions[name],
    extraConfig,
  }));
  const sandbox = await openSandbox({ dir, sites, isTied: true }, deps);
  const file = sandbox.meshFile;
  const modes = 'billing: {mode: single, home: east}';
  writeFileSync(file, `${readFileSync(file, 'utf8')}defaults: {groups: {modes: {${modes}}}}\n`);
  const open = async (name: TestSite): Promise<KafkaCluster> => {
    const { brokers } = sandbox.site(name);
    return scope.own(await openCluster({ name, brokers, clientId: 'client-test' }, deps));
  };
  const clusters = { east: await open('east'), west: await open('west') };
  for (const cluster of Object.values(clusters)) await makeTopic(cluster, 'orders', 2);
  const options = { topologyFile: file, logDir: dir };
  const agents = {
    east: scope.own(await startAgent({ ...options, site: 'east' })),
    west: scope.own(await startAgent({ ...options, site: 'west' })),
  };
  const env = {
    EAST_BROKERS: sandbox.site('east').brokers.join(),
    EAST_AGENTS: agents.east.grpc,
    WEST_BROKERS: sandbox.site('west').brokers.join(),
    WEST_AGENTS: agents.west.grpc,
    GROUP: group,
  };
  let written = 0;
  const write = async (site: TestSite, records: number): Promise<void> => {
    for (const partition of [0, 1]) {
      const values = Array.from({ length: records }, () => {
        written += 1;
        return {
          key: null,
          value: Buffer.from(`order ${written}`),
          timestampMs: Date.now(),
        };
      });
      await appendRecords(clusters[site], 'orders', partition, values);
    }
  };

  /** Of the positions at that site to the other one, by its agent there. */
  const translation = async (from: TestSite) => {
    const to = other[from];
    const { text } = await agents[to].get(`/v1/translate?group=${group}&from=${from}&to=${to}`);
    return translateSchema.safeParse(JSON.parse(text)).data;
  };
  // Two members; records come all the time at both sites, while the group goes west and back.
  const handled: Handled[] = [];
  const members = ['1', '2'].map(() => {
    const settings = { ...env, MOVE_AFTER_MS: '3000', WORK_MS: '3' };
    const onHandled = (one: Handled): unknown => handled.push(one);
    return scope.own(new ExampleProcess('follow-home.ts', settings, onHandled));
  });
  const isQuiet = new AbortController();
  const writing = (async () => {
    while (!isQuiet.signal.aborted) {
      await write('east', 5);
      await write('west', 5);
    }
  })();
  writing.catch(() => undefined); // It ends with the clusters when something else has failed.
  await until(
    'records of both sites to be handled',
    () => {
      return ['east', 'west'].every(
        (site) => handled.filter((one) => one.born === site).length > 100,
      );
    },
    60_000,
  );
  await until(
    'positions to be translated',
    async () => (await translation('east'))?.verdict === 'exact',
    60_000,
  );
  const [first] = members[0]?.events('start') as StartReport[];
  assert.deepEqual([first?.site, first?.basis, first?.verdict], ['east', 'home', 'exact']);
  for (const [from, to] of [
    ['east', 'west'],
    ['west', 'east'],
  ] as const) {
    const route = ['--group', group, '--from', from, '--to', to, '--topology', file];
    const done = await causeway('switchover', ...route, '--execute', '--wait', '60');
    assert.equal(done.code, 0, done.text);
    const before = handled.length;
    await until(
      `records to be handled at ${to}`,
      () => {
        return handled.slice(before).filter(({ at }) => at === to).length > 50;
      },
      60_000,
    );
  }
  isQuiet.abort();
  await writing;
  const all = await born(clusters);
  await until('everything to be handled', () => counts(handled).size === all.length, 60_000);
  assert.deepEqual([...counts(handled).keys()].sort(), all);
  assert.deepEqual(
    [...counts(handled)].filter(([, count]) => count !== 1),
    [],
  );
  for (const member of members) {
    assert.deepEqual(
      (member.events('leave') as { from: string; to: string }[]).map(({ from, to }) => [from, to]),
      [
        ['east', 'west'],
        ['west', 'east'],
      ],
    );
    const starts = member.events('start') as StartReport[];
    assert.deepEqual(
      starts.map(({ site, verdict }) => [site, verdict]),
      [
        ['east', 'exact'],
        ['west', 'exact'],
        ['east', 'exact'],
      ],
    );
  }

  // Settled: all of it is committed, and west knows. Then a burst, and in the midst of it the end.
  const committed = async (site: TestSite): Promise<string> => {
    const found = await clusters[site].groupOffsets(group);
    return found
      .filter(({ offset }) => offset >= 0n)
      .map(({ topic, partition, offset }) => `${topic}/${partition}@${offset}`)
      .sort()
      .join();
  };
  const ends = async (site: TestSite): Promise<string> => {
    const logs = [`orders`, `${other[site]}.orders`].flatMap((topic) =>
      [0, 1].map((partition) => ({ topic, partition })),
    );
    const found = await clusters[site].listOffsets(logs, 'latest');
    return found
      .map(({ topic, partition, offset }) => `${topic}/${partition}@${offset}`)
      .sort()
      .join();
  };
  /** What an agent of the other site knows of the positions at this one. */
  const known = async (site: TestSite): Promise<string> => {
    const found = (await translation(site))?.positions.map(({ source }) => {
      return `${source.topic}/${source.partition}@${source.offset ?? '-'}`;
    });
    return (found ?? []).sort().join();
  };
  const settled = async (site: TestSite): Promise<boolean> => {
    const at = await committed(site);
    return at === (await ends(site)) && at === (await known(site));
  };
  await until('what was handled at east to be committed', () => settled('east'), 30_000);
  const before = handled.length;
  await write('east', 300);
  await until('a part of the burst to be handled', () => handled.length > before + 40, 30_000);
  await Promise.all([sandbox.site('east').kill(), agents.east.kill()]);
  for (const member of members) {
    const move = (await member.says('move', 3)) as {
      to: string;
      cause: string;
      epoch: number;
    };
    assert.deepEqual([move.to, move.epoch], ['west', 4]);
    const report = (await member.says('start', 4)) as StartReport;
    assert.deepEqual([report.site, report.basis, report.verdict], ['west', 'home', 'exact']);
  }
  const causes = members.flatMap((member) => member.events('move') as { cause: string }[]);
  assert.ok(causes.some(({ cause }) => cause === 'site_lost'));
  await write('west', 5);

  // It returns: what had not crossed does, and only what was handled in the burst comes again.
  await sandbox.site('east').start();
  agents.east.launch();
  await agents.east.ready();
  await write('east', 5);
  const later = await born(clusters);
  await until('the rest to be handled', () => counts(handled).size === later.length, 60_000);
  assert.deepEqual([...counts(handled).keys()].sort(), later);
  const burst = handled.slice(before);
  const atEast = new Set(burst.filter(({ at }) => at === 'east').map(keyOf));
  const again = [...counts(handled)].filter(([, count]) => count !== 1);
  assert.deepEqual(
    again.filter(([key, count]) => count !== 2 || !atEast.has(key)),
    [],
  );
  assert.ok(again.length > 0 && again.length <= atEast.size);

  // Nobody but the Kafka at east is left, with the offsets that agents had kept in step there.
  await until('what was handled at west to be committed', () => settled('west'), 30_000);
  // Not at the ends of the logs there: behind the last copy stands the marker of a takeover.
  // Members that were killed stay in the group until their sessions end.
  await until(
    'east to be in step',
    async () => {
      const found = await translation('west');
      const targets = found?.positions.map(({ target: { topic, partition, offset } }) => {
        return `${topic}/${partition}@${offset ?? '-'}`;
      });
      return found?.verdict === 'exact' && targets?.sort().join() === (await committed('east'));
    },
    60_000,
  );
  for (const member of members) assert.equal(await member.stop(), 0);
  await Promise.all([agents.east.kill(), agents.west.kill(), sandbox.site('west').kill()]);
  await write('east', 20);
  await using alone = new ExampleProcess('follow-home.ts', {
    ...env,
    AGENT_TIMEOUT_MS: '2000',
  });
  await until('the new records to be handled', () => alone.handled.length >= 40, 60_000);
  const [start] = alone.events('start') as StartReport[];
  assert.deepEqual([start?.site, start?.basis, start?.verdict], ['east', 'synced', 'lower_bound']);
  assert.deepEqual(
    alone.handled.map(keyOf).sort(),
    (await bornAt(clusters.east, 'east')).filter((key) => !counts(handled).has(key)).sort(),
  );
  context.diagnostic(`${later.length} records, ${again.length} twice of ${atEast.size}`);
});
