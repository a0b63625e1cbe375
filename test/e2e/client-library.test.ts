/**
 * The client library, by the example that the documentation shows, in processes of its own: follows
 * a switchover there and back, moves by itself when the site is killed, starts without any agent.
 * What was handled is compared with what the logs hold.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StartReport } from '../../src/client/index.ts';
import { Scope } from '../../src/base/scope.ts';
import { bornAs, ClientStage, counts } from '../support/client-stage.ts';
import { ExampleProcess, type Handled } from '../support/example-process.ts';
import { causeway } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const group = 'billing';

test('the library follows the group, and handles every record', async (context) => {
  await using stage = await ClientStage.open(group);
  await using scope = new Scope();
  const { sandbox, agents, env } = stage;
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
      await stage.write('east', 5);
      await stage.write('west', 5);
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
    async () => (await stage.translation('east'))?.verdict === 'exact',
    60_000,
  );
  const [first] = members[0]?.events('start') as StartReport[];
  assert.deepEqual([first?.site, first?.basis, first?.verdict], ['east', 'home', 'exact']);
  for (const [from, to] of [
    ['east', 'west'],
    ['west', 'east'],
  ] as const) {
    const route = ['--group', group, '--from', from, '--to', to, '--topology', sandbox.meshFile];
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
  const all = await stage.born();
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

  // All of it is committed, and west knows. Then a burst, and in the midst of it the end.
  await until('what was handled at east to be committed', () => stage.settled('east'), 30_000);
  const before = handled.length;
  await stage.write('east', 300);
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
  await stage.write('west', 5);

  // It returns: what had not crossed does, and only what was handled in the burst comes again.
  await sandbox.site('east').start();
  agents.east.launch();
  await agents.east.ready();
  await stage.write('east', 5);
  const later = await stage.born();
  await until('the rest to be handled', () => counts(handled).size === later.length, 60_000);
  assert.deepEqual([...counts(handled).keys()].sort(), later);
  const burst = handled.slice(before);
  const atEast = new Set(burst.filter(({ at }) => at === 'east').map(bornAs));
  const again = [...counts(handled)].filter(([, count]) => count !== 1);
  assert.deepEqual(
    again.filter(([key, count]) => count !== 2 || !atEast.has(key)),
    [],
  );
  assert.ok(again.length > 0 && again.length <= atEast.size);

  // Nobody but the Kafka at east is left, with the offsets that agents had kept in step there.
  await until('what was handled at west to be committed', () => stage.settled('west'), 30_000);
  // Members that were killed stay in the group until their sessions end.
  await until('east to be in step', () => stage.inStep('east'), 60_000);
  for (const member of members) assert.equal(await member.stop(), 0);
  await Promise.all([agents.east.kill(), agents.west.kill(), sandbox.site('west').kill()]);
  await stage.write('east', 20);
  await using alone = new ExampleProcess('follow-home.ts', {
    ...env,
    AGENT_TIMEOUT_MS: '2000',
  });
  await until('the new records to be handled', () => alone.handled.length >= 40, 60_000);
  const [start] = alone.events('start') as StartReport[];
  assert.deepEqual([start?.site, start?.basis, start?.verdict], ['east', 'synced', 'lower_bound']);
  assert.deepEqual(
    alone.handled.map(bornAs).sort(),
    (await stage.born(['east'])).filter((key) => !counts(handled).has(key)).sort(),
  );
  context.diagnostic(`${later.length} records, ${again.length} twice of ${atEast.size}`);
});
