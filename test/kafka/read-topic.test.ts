import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runClient, kcat, pythonWithConfluentKafka } from '../support/tools.ts';
import { brokersOf, uniqueName } from '../support/clusters.ts';
import { readTopic } from '../support/read-topic.ts';
import { makeTopic, openTestCluster } from '../support/topics.ts';

/** Two transactions, one rolled back, and a record outside of any. */
const produce = `
import sys
from confluent_kafka import Producer
brokers, topic, txn = sys.argv[1:4]
p = Producer({'bootstrap.servers': brokers, 'transactional.id': txn, 'compression.type': 'lz4'})
p.init_transactions(20)
for value, end in (('kept', p.commit_transaction), ('rolled back', p.abort_transaction)):
    p.begin_transaction()
    for n in range(3):
        p.produce(topic, f'{value} {n}'.encode(), key=b'k', partition=1, headers=[('h', b'1')])
    p.flush(20)
    end(20)
plain = Producer({'bootstrap.servers': brokers})
plain.produce(topic, b'plain', partition=0)
plain.flush(20)
`;

test('what another client wrote is read whole, and committed as that client sees it', async () => {
  const topic = uniqueName('read');
  const brokers = brokersOf('west');
  await using cluster = await openTestCluster('west');
  await makeTopic(cluster, topic, 2);
  const python = await pythonWithConfluentKafka();
  const made = await runClient(python, ['-c', produce, brokers.join(), topic, topic]);
  assert.equal(made.code, 0, made.lines.join('\n'));

  const values = async (isolation: 'committed' | 'uncommitted'): Promise<unknown[]> =>
    (await readTopic(brokers, topic, isolation)).map((records) =>
      records.map(({ value }) => value?.toString()),
    );
  const kept = ['kept 0', 'kept 1', 'kept 2'];
  assert.deepEqual(await values('committed'), [['plain'], kept]);
  const all = [...kept, 'rolled back 0', 'rolled back 1', 'rolled back 2'];
  assert.deepEqual(await values('uncommitted'), [['plain'], all]);
  const [, records = []] = await readTopic(brokers, topic);
  assert.deepEqual(
    records.map(({ key, headers }) => [key?.toString(), headers.length]),
    kept.map(() => ['k', 1]),
  );

  const consume = ['-b', brokers.join(), '-C', '-t', topic, '-p', '1', '-e', '-q'];
  const seen = await runClient(await kcat(), [...consume, '-X', 'check.crcs=true']);
  assert.deepEqual(seen.lines, kept);
});
