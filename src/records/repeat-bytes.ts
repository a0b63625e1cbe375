/** Copying within a buffer what stands `distance` before, the way LZ77 formats mean it. */

/** A call into the engine costs as much as copying some 200 bytes in words. */
const wordsBelow = 256;

/**
 * Writes `length` bytes at `at`, each a copy of the one `distance` before it: with a short distance
 * what was just written is repeated. Up to three bytes behind are touched.
 */
export function repeatBytes(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  distance: number,
): void {
  const end = at + length;
  if (distance < 4) {
    for (let place = at; place < end; place += 1) bytes[place] = bytes[place - distance] ?? 0;
    return;
  }
  if (length >= wordsBelow && distance >= length) {
    bytes.copyWithin(at, at - distance, end - distance);
    return;
  }
  for (let place = at; place < end; place += 4) {
    view.setInt32(place, view.getInt32(place - distance, true), true);
  }
}

/** How many bytes from `at` on equal those `distance` before them; at most `lengthMax`. */
export function equalBytes(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  lengthMax: number,
  distance: number,
): number {
  const end = at + lengthMax;
  let place = at;
  while (place + 4 <= end && view.getInt32(place) === view.getInt32(place - distance)) place += 4;
  while (place < end && bytes[place] === bytes[place - distance]) place += 1;
  return place - at;
}
