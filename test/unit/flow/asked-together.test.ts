import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeshError } from '../../../src/base/errors.ts';
import { AskedTogether } from '../../../src/flow/asked-together.ts';

interface Question {
  readonly topic: string;
  readonly partition: number;
  readonly what?: string;
}

interface Request {
  readonly questions: readonly Question[];
  answer(): void;
  fail(error: Error): void;
}

function book(leaderOf: (partition: number) => number = () => 1) {
  const requests: Request[] = [];
  const asked = new AskedTogether<Question, Question>(
    (_topic, partition) => leaderOf(partition),
    (questions) =>
      new Promise((resolve, reject) => {
        requests.push({ questions, answer: () => resolve([...questions].reverse()), fail: reject });
      }),
  );
  const ask = (partition: number, what = ''): Promise<Question | undefined> =>
    asked.ask({ topic: 't', partition, what });
  return { requests, ask };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('those of a turn go in one request, those that come meanwhile in the next', async () => {
  const { requests, ask } = book();
  const first = [ask(0), ask(1)];
  await turn();
  const second = [ask(2), ask(3), ask(4)];
  await turn();
  assert.deepEqual(
    requests.map(({ questions }) => questions.map(({ partition }) => partition)),
    [[0, 1]],
  );
  requests[0]?.answer();
  assert.deepEqual(
    (await Promise.all(first)).map((one) => one?.partition),
    [0, 1],
  );
  await turn();
  requests[1]?.answer();
  assert.deepEqual(
    (await Promise.all(second)).map((one) => one?.partition),
    [2, 3, 4],
  );
  assert.equal(requests.length, 2);
});

test('two questions about one partition are never in one request', async () => {
  const { requests, ask } = book();
  const both = [ask(0, 'epoch 1'), ask(0, 'epoch 2')];
  await turn();
  requests[0]?.answer();
  await turn();
  requests[1]?.answer();
  assert.deepEqual(
    (await Promise.all(both)).map((one) => one?.what),
    ['epoch 1', 'epoch 2'],
  );
});

test('a leader that is silent, or fails, holds up no others', async () => {
  const { requests, ask } = book((partition) => partition % 2);
  const [silent, other] = [ask(0), ask(1)];
  await turn();
  requests[1]?.answer();
  assert.equal((await other)?.partition, 1);
  requests[0]?.fail(new MeshError('kafka_unavailable', 'gone'));
  await assert.rejects(silent, /gone/);
  const again = ask(0);
  await turn();
  requests[2]?.answer();
  assert.equal((await again)?.partition, 0);
});

test('what is no error of ours is told as a defect', async () => {
  const { requests, ask } = book();
  const asked = ask(0);
  await turn();
  requests[0]?.fail(new TypeError('odd'));
  await assert.rejects(asked, { code: 'defect', message: /odd/ });
});
