/**
 * Loaded before every test file: a failed `assert.ok` without a message says so at once. Node would
 * read the file and parse it from each line on to quote the expression; of files that tsx has
 * translated it finds no place, and takes minutes over it.
 */
import assert from 'node:assert/strict';

function plainOk(
  value: unknown,
  message: string | Error = 'found a falsy value, wanted a truthy one',
): asserts value {
  if (value) return;
  if (message instanceof Error) throw message;
  const found = { actual: value, expected: true, operator: '==' };
  throw new assert.AssertionError({ ...found, message, stackStartFn: plainOk });
}

assert.ok = plainOk;
