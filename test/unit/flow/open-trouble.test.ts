import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeshError } from '../../../src/base/errors.ts';
import { OpenTrouble } from '../../../src/flow/open-trouble.ts';

const tooLarge = new MeshError('record_too_large', 'orders/0@7: 150000 bytes');

test('it is open through all tries that come no further', () => {
  const trouble = new OpenTrouble();
  assert.equal(trouble.why, undefined);
  trouble.begin(tooLarge, 7);
  trouble.standsAt(7, false);
  assert.equal(trouble.why, 'record_too_large: orders/0@7: 150000 bytes');
  assert.equal(trouble.isTransient, false);
  trouble.standsAt(8, false);
  assert.equal(trouble.why, undefined);
});

test('it is over where nothing waits any more, or copying stands elsewhere', () => {
  const trouble = new OpenTrouble();
  trouble.begin(tooLarge, 7);
  trouble.standsAt(7, true);
  assert.equal(trouble.why, undefined);
  trouble.begin(tooLarge, 7);
  // The source's log was made again.
  trouble.standsAt(0, false);
  assert.equal(trouble.why, undefined);
  // What had kept it from beginning at all.
  trouble.begin(new MeshError('kafka_unavailable', 'no leader'), undefined);
  assert.equal(trouble.isTransient, true);
  trouble.standsAt(0, false);
  assert.equal(trouble.why, undefined);
});
