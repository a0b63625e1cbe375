/**
 * Agents asked by clients of other languages, as docs/clients.md shows: by Python and Java over
 * gRPC, by anything over reflection, by curl.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { translateSchema } from '../../src/client/answers.ts';
import { FailoverServiceService } from '../../src/gen/causeway/v1/failover.ts';
import { startAgent } from '../support/agent-process.ts';
import { uniqueName } from '../support/clusters.ts';
import { writeMesh } from '../support/mesh.ts';
import { javaExample, pythonWithGrpc, runClient } from '../support/tools.ts';
import { appendRecords, makeTopic, openTestCluster } from '../support/topics.ts';
import { until } from '../support/until.ts';

const dir = mkdtempSync(path.join(os.tmpdir(), 'causeway-languages-'));
after(() => rmSync(dir, { recursive: true }));
const examples = path.join(path.dirname(path.dirname(import.meta.dirname)), 'examples');

test('the same answer in every language', async () => {
  const topic = uniqueName('spoken');
  const group = uniqueName('billing');
  const modes = `{${group}: {mode: single, home: east}}`;
  const mesh = await writeMesh(dir, [
    `defaults: {topics: {include: [${topic}]}, groups: {include: [${group}], modes: ${modes}}}`,
  ]);
  await using east = await openTestCluster('east');
  await makeTopic(east, topic, 2);
  for (const partition of [0, 1]) {
    const records = Array.from({ length: 100 }, (_, index) => ({
      key: null,
      value: Buffer.from(`${index}`),
      timestampMs: Date.now(),
    }));
    await appendRecords(east, topic, partition, records);
  }
  const metadata = '';
  await east.commitGroupOffsets(group, [
    { topic, partition: 0, offset: 42n, metadata },
    { topic, partition: 1, offset: 7n, metadata },
  ]);
  const options = { topologyFile: mesh.file, logDir: dir };
  await using eastAgent = await startAgent({ ...options, site: 'east' });
  await using agent = await startAgent({ ...options, site: 'west' });
  const url = `http://${agent.http}/v1/translate?group=${group}&from=east&to=west`;
  const curl = async (): Promise<string> => {
    const { lines } = await runClient('curl', ['-s', url]);
    return lines.join('\n');
  };
  const answer = await until('an exact answer', async () => {
    const { data } = translateSchema.safeParse(JSON.parse(await curl()));
    return data?.verdict === 'exact' && data;
  });
  assert.equal(answer.positions.length, 2);
  const wanted = answer.positions.map(({ target, certainty, reason }) => {
    const how = `CERTAINTY_${certainty.toUpperCase()} TRANSLATION_REASON_${reason.toUpperCase()}`;
    return `${target.topic}/${target.partition}@${target.offset} ${how}`;
  });
  wanted.push('safe to start');

  const question = [agent.grpc, group, 'east', 'west'];
  const { python, generated } = await pythonWithGrpc();
  const pythonRun = (program: string, args: readonly string[]) =>
    runClient('env', [
      `PYTHONPATH=${generated}`,
      python,
      path.join(examples, 'python', program),
      ...args,
    ]);
  assert.deepEqual((await pythonRun('translate.py', question)).lines, wanted);
  const nobody = await pythonRun('translate.py', [agent.grpc, 'nobody', 'east', 'west']);
  assert.equal(nobody.code, 1);
  assert.deepEqual(nobody.lines, ['NOT_FOUND: no position of group nobody at east is known']);

  const [java, ...args] = await javaExample();
  const byJava = await runClient(java, [...args, 'Translate', ...question]);
  assert.deepEqual(byJava.lines, wanted);

  const { lines: calls } = await pythonRun('list_calls.py', [eastAgent.grpc]);
  for (const { path: call } of Object.values(FailoverServiceService)) {
    assert.ok(calls.includes(call.slice(1)), `${call} in ${calls.join(', ')}`);
  }
  assert.ok(calls.includes('causeway.v1.CheckpointService/Translate'));
  assert.ok(calls.includes('grpc.health.v1.Health/Check'));

  const wrong = await runClient('curl', ['-s', url.replace('from=east', 'from=eats')]);
  assert.match(wrong.lines.join('\n'), /"code": "site_unknown"[^]*no site eats; declared are east/);
});
