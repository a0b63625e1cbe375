/** A group moves to the other site as planned, with its producers running and without them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Scope } from '../../src/base/scope.ts';
import { reportSchema, switchoverPlanSchema } from '../../src/client/answers.ts';
import { startAgent } from '../support/agent-process.ts';
import { uniqueName } from '../support/clusters.ts';
import { kafkaOf, member } from '../support/plain-member.ts';
import { causeway, writeMesh } from '../support/mesh.ts';
import { RunningCommand } from '../support/running-command.ts';
import { makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-switchover-'));
after(() => rmSync(dir, { recursive: true }));

/** Writes until it is stopped; the values that were acknowledged. */
async function producer(topic: string) {
  const written: string[] = [];
  const client = kafkaOf('east').producer();
  await client.connect();
  let isStopped = false;
  const running = (async () => {
    while (!isStopped) {
      const values = Array.from({ length: 20 }, (_, index) => `v${written.length + index}`);
      await client.send({ topic, messages: values.map((value) => ({ value })) });
      written.push(...values);
    }
  })();
  const stop = async (): Promise<void> => {
    isStopped = true;
    await running;
    await client.disconnect();
  };
  return { written, stop };
}

test('switchover: waits for members, producers and the copy; nothing skipped, nothing twice', async () => {
  const topic = uniqueName('planned');
  const group = uniqueName('billing');
  const modes = `{${group}: {mode: single, home: east}}`;
  const mesh = await writeMesh(dir, [
    `defaults: {topics: {include: [${topic}]}, groups: {include: [${group}], modes: ${modes}}}`,
  ]);
  const options = { topologyFile: mesh.file, logDir: dir };
  await using east = await openTestCluster('east');
  await makeTopic(east, topic, 2);
  await using agents = new Scope();
  for (const site of ['east', 'west']) agents.own(await startAgent({ ...options, site }));
  const writing = await producer(topic);
  const read = new Map<string, number>();
  const there = await member('east', group, [topic], read);
  await until('the group to read', () => read.size > 200, 60_000);
  const args = (from: string, to: string, ...more: string[]): string[] => [
    ...['switchover', '--group', group, '--from', from, '--to', to, '--topology', mesh.file],
    ...more,
  ];

  // Looked at, given up, called off: nothing has changed.
  const shown = await until('the plan', async () => {
    const { code, text } = await causeway(...args('east', 'west', '-o', 'json'));
    return code === 0 && switchoverPlanSchema.parse(JSON.parse(text));
  });
  assert.deepEqual(
    shown.waitingFor.filter((one) => one.includes('members')),
    [`${group} has 1 members at east`],
  );
  const late = await causeway(...args('east', 'west', '--execute', '--wait', '2'));
  assert.equal(late.code, 3, late.text);
  assert.match(late.text, /not within 2 s, nothing was changed: .* has 1 members at east/);
  const off = new RunningCommand(args('east', 'west', '--execute'));
  await off.says(/waiting for: .* has 1 members at east/);
  off.interrupt();
  assert.equal(await off.code, 3, off.text);
  assert.match(off.text, /called off: .* is at home at east \(epoch 1\)/);

  // In earnest: one thing after the other comes true.
  const going = new RunningCommand(
    args('east', 'west', '--execute', '--producers-stopped', '--wait', '60', '-o', 'json'),
  );
  await going.says(/has 1 members at east/);
  await there.disconnect();
  await going.says(new RegExp(`waiting for: ${topic} to be still at east`));
  await writing.stop();
  assert.equal(await going.code, 0, going.text);
  const report = reportSchema.parse(JSON.parse(going.text.slice(going.text.indexOf('{'))));
  assert.deepEqual(report.home, { site: 'west', epoch: 2, state: 'moved' });
  assert.equal(report.plan.translation.verdict, 'exact');
  assert.equal(report.plan.lossRecordsAtLeast, '0');

  const here = await member('west', group, [`east.${topic}`], read);
  await until('the rest to be read', () => read.size === writing.written.length, 60_000);
  await here.disconnect();
  assert.deepEqual([...read.keys()].sort(), [...writing.written].sort());
  assert.deepEqual(
    [...read].filter(([, count]) => count !== 1),
    [],
  );

  // And back, which is the same the other way.
  const back = await causeway(...args('west', 'east', '--execute', '--wait', '60'));
  assert.equal(back.code, 0, back.text);
  assert.match(back.text, new RegExp(`${group} is at home at east \\(epoch 3\\)`));
  const wrong = await causeway(...args('west', 'east', '--execute'));
  assert.equal(wrong.code, 3, wrong.text);
  assert.match(wrong.text, /is east \(epoch 3\), not west/);
  const usage = await causeway(...args('west', 'east', '--wait', 'soon'));
  assert.equal(usage.code, 2, usage.text);
  assert.match(usage.text, /--wait: found "soon", wanted seconds from 1 to 86400/);
});
