import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  configChanges,
  remoteConfigs,
  shorterRetention,
} from '../../../src/flow/remote-configs.ts';
import type { TopicConfigEntry } from '../../../src/kafka/cluster.ts';

const all = { include: ['.*'], exclude: [] };
const longest = '9223372036854775807';

function own(configs: Record<string, string>): TopicConfigEntry[] {
  return Object.entries(configs).map(([name, value]) => {
    return { name, value, isDefault: false, isSensitive: false };
  });
}

function defaults(configs: Record<string, string>): TopicConfigEntry[] {
  return own(configs).map((entry) => ({ ...entry, isDefault: true }));
}

const forced = {
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': longest,
  'message.timestamp.after.max.ms': longest,
};
const asForced = own({ ...forced, 'max.message.bytes': '1114124' });

describe('settings of a remote topic', () => {
  test('are the own ones of the source that the target knows', () => {
    const source = [
      ...own({
        'retention.ms': '5',
        'only.there': 'x',
        'follower.replication.throttled.replicas': '*',
        'min.insync.replicas': '3',
        'unclean.leader.election.enable': 'true',
        'remote.storage.enable': 'true',
        'compression.type': 'gzip',
        'message.timestamp.type': 'LogAppendTime',
      }),
      ...defaults({ 'segment.bytes': '7', 'max.message.bytes': '1000' }),
    ];
    const known = new Set([
      ...source.map(({ name }) => name).filter((name) => name !== 'only.there'),
      ...Object.keys(forced),
    ]);
    assert.deepEqual(remoteConfigs(source, known, all), {
      'retention.ms': '5',
      'max.message.bytes': String(1000 + 65_536),
      ...forced,
    });
    const some = { include: ['.*'], exclude: ['retention\\..*'] };
    assert.equal(remoteConfigs(source, known, some)['retention.ms'], undefined);
  });

  test('change only where they differ; what is removed there is removed here', () => {
    const source = [
      ...own({ 'cleanup.policy': 'compact' }),
      ...defaults({ 'retention.ms': '9', 'max.message.bytes': '1048588', 'segment.ms': '1' }),
    ];
    const same = [...asForced, ...own({ 'cleanup.policy': 'compact' })];
    assert.deepEqual(configChanges(source, same, all), {});
    const other = [
      ...asForced,
      ...own({ 'cleanup.policy': 'delete', 'retention.ms': '5', 'only.here': '1' }),
      ...defaults({ 'segment.ms': '2' }),
    ];
    assert.deepEqual(configChanges(source, other, all), {
      'cleanup.policy': 'compact',
      'retention.ms': null,
    });
    const excluded = { include: ['.*'], exclude: ['retention\\..*', 'cleanup\\..*'] };
    assert.deepEqual(configChanges(source, other, excluded), {});
  });

  test('what copying needs is seen to even when nothing else is followed', () => {
    const source = own({ 'retention.ms': '5' });
    const target = [
      ...own({ 'message.timestamp.type': 'LogAppendTime', 'retention.ms': '6' }),
      ...defaults({ 'message.timestamp.after.max.ms': '3600000', 'max.message.bytes': '1' }),
    ];
    assert.deepEqual(configChanges(source, target, false), {
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.after.max.ms': longest,
    });
  });

  test('the limit of sizes is raised, never lowered', () => {
    const source = own({ 'max.message.bytes': '2000000' });
    assert.equal(
      configChanges(source, asForced, all)['max.message.bytes'],
      String(2_000_000 + 65_536),
    );
    const raised = own({ ...forced, 'max.message.bytes': '9000000' });
    assert.deepEqual(configChanges(source, raised, all), {});
  });
});

test('a copy that loses records earlier than its source says so', () => {
  const keeps = (more: Record<string, string>): TopicConfigEntry[] =>
    own({ 'cleanup.policy': 'delete', 'retention.ms': '100', 'retention.bytes': '-1', ...more });
  const told = (source: Record<string, string>, target: Record<string, string>): string =>
    shorterRetention(keeps(source), keeps(target)) ?? '';
  assert.equal(told({}, {}), '');
  assert.equal(told({}, { 'retention.ms': '200' }), '');
  assert.equal(told({}, { 'retention.ms': '-1' }), '');
  assert.match(told({}, { 'retention.ms': '99' }), /^retention.ms is 99, at the source 100/);
  assert.match(told({ 'retention.ms': '-1' }, {}), /^retention.ms is 100, at the source -1/);
  assert.match(told({}, { 'retention.bytes': '7' }), /^retention.bytes is 7/);
  assert.match(told({ 'cleanup.policy': 'compact' }, {}), /^deletes what is old/);
  assert.equal(told({}, { 'cleanup.policy': 'compact', 'retention.ms': '1' }), '');
  assert.match(told({}, { 'cleanup.policy': 'compact,delete', 'retention.ms': '1' }), /^retention/);
});
