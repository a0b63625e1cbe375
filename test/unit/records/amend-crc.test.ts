import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { amendedCrc, linearCrc } from '../../../src/records/amend-crc.ts';

test('a checksum is amended to the one that is made anew, whatever stands behind the change', () => {
  const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
  fc.assert(
    fc.property(bytes(40, 40), bytes(40, 40), bytes(0, 2_000), (was, is, behind) => {
      const found = amendedCrc(crc32c(Buffer.concat([was, behind])), {
        before: linearCrc(was, 0, was.length),
        after: linearCrc(is, 0, is.length),
        bytesBehind: behind.length,
      });
      assert.equal(found, crc32c(Buffer.concat([is, behind])));
    }),
  );
});

test('behind it may stand megabytes', () => {
  const [was, is, behind] = [
    Buffer.alloc(40, 1),
    Buffer.alloc(40, 200),
    Buffer.alloc(5_000_001, 7),
  ];
  const found = amendedCrc(crc32c(Buffer.concat([was, behind])), {
    before: linearCrc(was, 0, 40),
    after: linearCrc(is, 0, 40),
    bytesBehind: behind.length,
  });
  assert.equal(found, crc32c(Buffer.concat([is, behind])));
});
