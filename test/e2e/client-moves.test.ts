/**
 * Moves of a group whose member follows by the client library, that do not go the usual way: a
 * switchover that is called off, a failover by command, a loss that no agent is there to see.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StartReport } from '../../src/client/index.ts';
import { bornAs, ClientStage, counts } from '../support/client-stage.ts';
import { ExampleProcess, type Handled } from '../support/example-process.ts';
import { causeway } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const group = 'shipping';
const starts = (member: ExampleProcess): string[] =>
  (member.events('start') as StartReport[]).map(({ site, basis }) => `${site} ${basis}`);
const leaves = (member: ExampleProcess): string[] =>
  (member.events('leave') as { from: string; to: string }[]).map(({ from, to }) => `${from} ${to}`);

test('a member follows whatever becomes of its group', async (context) => {
  await using stage = await ClientStage.open(group);
  const { sandbox, agents, env } = stage;
  const handled: Handled[] = [];
  const onHandled = (one: Handled): unknown => handled.push(one);
  const all = async (): Promise<void> => {
    const born = await stage.born();
    await until('all to be handled', () => counts(handled).size === born.length, 60_000);
    assert.deepEqual([...counts(handled).keys()].sort(), born);
  };
  const twice = (): string[] =>
    [...counts(handled)].filter(([, count]) => count !== 1).map(([key]) => key);
  const route = ['--group', group, '--from', 'east', '--to', 'west'];
  const asked = [...route, '--topology', sandbox.meshFile, '--execute'];

  await using member = new ExampleProcess('follow-home.ts', { ...env, WORK_MS: '2' }, onHandled);
  // A log that holds nothing but the marker of a takeover may be committed, or not.
  await stage.write('west', 1);
  await stage.write('east', 50);
  await all();
  await until(
    'positions to be translated',
    async () => (await stage.translation('east'))?.verdict === 'exact',
    60_000,
  );

  await context.test('a switchover that does not come true leaves it where it was', async () => {
    const stop = new AbortController();
    const writing = (async () => {
      while (!stop.signal.aborted) await stage.write('east', 5);
    })();
    writing.catch(() => undefined);
    const done = await causeway('switchover', ...asked, '--producers-stopped', '--wait', '5');
    assert.equal(done.code, 3, done.text);
    assert.match(done.text, /nothing was changed: orders to be still at east/);
    const before = handled.length;
    await until('it to go on', () => handled.length > before + 20, 60_000);
    stop.abort();
    await writing;
    await all();
    assert.deepEqual(twice(), []);
    assert.deepEqual(starts(member), ['east home', 'east home']);
    assert.equal(leaves(member)[0], 'east west');
    assert.ok(handled.every(({ at }) => at === 'east'));
  });

  await context.test('a failover by command takes it along', async () => {
    await until('all of it to be committed', () => stage.settled('east'), 30_000);
    const before = handled.length;
    await stage.write('east', 300);
    await until('a part to be handled', () => handled.length > before + 40, 30_000);
    await Promise.all([sandbox.site('east').kill(), agents.east.kill()]);
    const known = await stage.translation('east');
    const done = await causeway('failover', ...asked);
    assert.equal(done.code, 0, done.text);
    const report = (await member.says('start', 3)) as StartReport;
    assert.deepEqual([report.site, report.basis, report.verdict], ['west', 'home', 'exact']);
    await stage.write('west', 20);
    await sandbox.site('east').start();
    agents.east.launch();
    await agents.east.ready();
    await all();
    const atEast = new Set(
      handled
        .slice(before)
        .filter(({ at }) => at === 'east')
        .map(bornAs),
    );
    assert.deepEqual(
      twice().filter((key) => counts(handled).get(key) !== 2 || !atEast.has(key)),
      [],
    );
    // Only what was not committed, as far as was known, is read again.
    const committed = new Map<string, number>(
      known?.positions.map(({ source: { topic, partition, offset } }) => {
        return [`east/${topic}/${partition}`, Number(offset)];
      }),
    );
    const isCommitted = (key: string): boolean => {
      const [place = '', offset = ''] = key.split('@');
      return Number(offset) < (committed.get(place) ?? 0);
    };
    assert.equal(committed.size, 4);
    assert.deepEqual(twice().filter(isCommitted), []);
    assert.equal(await member.stop(), 0);
  });

  await context.test(
    'without any agent it moves to what was kept in step, if told to',
    async () => {
      const settings = { MOVE_AFTER_MS: '2000', WITHOUT_AGENTS: 'yes', AGENT_TIMEOUT_MS: '2000' };
      const again = twice();
      await using alone = new ExampleProcess('follow-home.ts', { ...env, ...settings }, onHandled);
      await stage.write('west', 20);
      await all();
      await until('all of it to be committed', () => stage.settled('west'), 30_000);
      await until('east to be in step', () => stage.inStep('east'), 60_000);
      await Promise.all([agents.east.kill(), agents.west.kill(), sandbox.site('west').kill()]);
      const report = (await alone.says('start', 2)) as StartReport;
      assert.deepEqual(
        [report.site, report.basis, report.verdict],
        ['east', 'synced', 'lower_bound'],
      );
      await stage.write('east', 20);
      const atEast = await stage.born(['east']);
      await until(
        'what was written at east to be handled',
        () => {
          const found = counts(handled);
          return atEast.every((key) => found.has(key));
        },
        60_000,
      );
      assert.deepEqual(twice(), again);
      assert.equal(await alone.stop(), 0);
    },
  );
});
