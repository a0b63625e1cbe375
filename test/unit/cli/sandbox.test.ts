import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMeshError } from '../../../src/base/errors.ts';
import { siteRequests } from '../../../src/cli/commands/sandbox.ts';

const ask = (options: Partial<Parameters<typeof siteRequests>[0]>) =>
  siteRequests({ sites: 'east,west', brokers: '1', ...options }, '4.3.0');

test('a version for all, for some, or none', () => {
  const versions = (kafka?: string): string[] =>
    ask(kafka === undefined ? {} : { kafka }).map(({ kafkaVersion }) => kafkaVersion);
  assert.deepEqual(versions(), ['4.3.0', '4.3.0']);
  assert.deepEqual(versions('3.9.2'), ['3.9.2', '3.9.2']);
  assert.deepEqual(versions('east=3.9.2'), ['3.9.2', '4.3.0']);
  assert.deepEqual(versions('west=4.1.1, east=3.9.2'), ['3.9.2', '4.1.1']);
});

test('ports: the first broker’s, and the next ones for the others', () => {
  assert.deepEqual(ask({ brokers: '3', ports: 'west=19192' }), [
    { name: 'east', kafkaVersion: '4.3.0', brokers: 3 },
    { name: 'west', kafkaVersion: '4.3.0', brokers: 3, ports: [19192, 19193, 19194] },
  ]);
});

test('what does not say which site, or names another, is refused', () => {
  for (const wrong of [
    { ports: '19092' },
    { ports: 'north=19092' },
    { ports: 'east=' },
    { kafka: 'east=3.9.2=4.3.0' },
    { kafka: 'east=3.9.2,4.3.0' },
  ]) {
    assert.throws(
      () => ask(wrong),
      (error) => isMeshError(error, 'usage'),
    );
  }
});
