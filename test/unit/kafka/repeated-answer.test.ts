import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiRequest } from '../../../src/kafka/api-request.ts';
import { RepeatedAnswer } from '../../../src/kafka/repeated-answer.ts';
import { WireReader } from '../../../src/kafka/wire-reader.ts';

test('an answer is decoded again only when a byte of it differs, whatever becomes of its memory', () => {
  let decoded = 0;
  const request: ApiRequest<{ readonly value: number }> = {
    apiName: 'Test',
    apiKey: 0,
    apiVersion: 0,
    isFlexible: false,
    encode: () => undefined,
    decode: (reader) => {
      decoded += 1;
      return { value: reader.int32() };
    },
  };
  const repeated = new RepeatedAnswer(request);
  const memory = Buffer.alloc(9);
  const read = (value: number, bytes = 8): { readonly value: number } => {
    memory.writeInt32BE(value, 4);
    const reader = new WireReader(memory.subarray(0, bytes));
    reader.int32(); // A header, which is not part of it.
    return repeated.request.decode(reader);
  };
  const first = read(1);
  assert.equal(read(1), first);
  assert.equal(decoded, 1);
  assert.deepEqual(read(2), { value: 2 });
  assert.deepEqual(read(1), first);
  assert.notEqual(read(2), first);
  assert.equal(decoded, 4);
  read(2, 9);
  assert.equal(decoded, 5, 'a longer one is another one');
});
