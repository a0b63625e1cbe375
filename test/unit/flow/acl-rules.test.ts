import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aclText, concerns, mirror, writersOf } from '../../../src/flow/acl-rules.ts';
import type { TopicAcl } from '../../../src/kafka/cluster.ts';

function acl(text: string): TopicAcl {
  const [who = '', permission, operation, name = ''] = text.split(' ');
  const [principal = '', host = '*'] = who.split('@');
  return {
    principal: `User:${principal}`,
    host,
    permission: permission === 'may' ? 'allow' : 'deny',
    // The tests write operations as they are named.
    operation: operation as TopicAcl['operation'],
    pattern: name.length > 1 && name.endsWith('*') ? 'prefixed' : 'literal',
    name: name.length > 1 ? name.replace(/\*$/, '') : name,
  };
}

test('reading and describing is mirrored, under the names of the copies', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['ana may read orders', ['User:ana may read east.orders']],
    ['ana@h1 may describe ord*', ['User:ana from h1 may describe east.ord*']],
    ['ana may all orders', ['User:ana may read east.orders', 'User:ana may describe east.orders']],
    ['ana mustnot read orders', ['User:ana may not read east.orders']],
    ['ana may read *', ['User:ana may read east.*']],
    ['ana may write orders', []],
    ['ana may alter_configs orders', []],
    ['ana may describe_configs orders', []],
  ];
  for (const [source, wanted] of cases) {
    assert.deepEqual(mirror([acl(source)], 'east').map(aclText), wanted);
  }
  const twice = mirror([acl('ana may all orders'), acl('ana may read orders')], 'east');
  assert.equal(twice.length, 2, 'once each');
});

test('only what concerns a topic that is carried', () => {
  const topics = new Set(['east.orders']);
  assert.ok(concerns(acl('ana may read east.orders'), topics));
  assert.ok(concerns(acl('ana may read east.ord*'), topics));
  assert.ok(!concerns(acl('ana may read east.ord'), topics));
  assert.ok(!concerns(acl('ana may read east.pay*'), topics));
});

test('whoever else may write to copies is found, by whatever pattern', () => {
  const writers = [
    'ana may write east.orders',
    'ana may all east.ord*',
    'ana may write ea*',
    'ana may write east.*',
    'ana may all *',
  ];
  const others = [
    'ana may write orders',
    'ana may write eastern*',
    'ana may read east.orders',
    'ana mustnot write east.orders',
    'we may write east.*',
  ];
  const found = writersOf([...writers, ...others].map(acl), 'east', 'User:we');
  assert.deepEqual(found, writers.map(acl));
});
