/**
 * Copying the short pieces of a record. A call into the engine costs as much as copying some 200
 * bytes in words of four does, so only longer pieces are given to it (measured by
 * test/bench/stamp.ts).
 */
const wordsBelow = 256;

/**
 * Copies [from, to) of the source to `at`; returns the place behind it. Each view covers its
 * bytes.
 */
export function copyBytes(
  source: Uint8Array,
  sourceView: DataView,
  from: number,
  to: number,
  target: Uint8Array,
  targetView: DataView,
  at: number,
): number {
  const length = to - from;
  if (length >= wordsBelow) {
    target.set(source.subarray(from, to), at);
    return at + length;
  }
  let read = from;
  let write = at;
  for (; read + 4 <= to; read += 4, write += 4) {
    targetView.setInt32(write, sourceView.getInt32(read, true), true);
  }
  for (; read < to; read += 1, write += 1) target[write] = source[read] ?? 0;
  return write;
}
