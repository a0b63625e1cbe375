/**
 * The CRC-32C of bytes of which a few changed, without reading the others again: checksums are
 * linear, so what changed is put through as many zero bytes as stand behind it.
 *
 * ```
 *   crc(A' + B) = crc(A + B) ^ zeros(crc0(A ^ A'), length of B)     crc0: from 0, not inverted
 * ```
 *
 * Putting 2^k zero bytes through is one matrix for each k: see "Mark Adler, crc32_combine".
 */
const polynomial = 0x82f63b78;
const byteValues = 256;

/** What one byte does to a checksum of 0. */
const byteTable = Uint32Array.from({ length: byteValues }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : polynomial);
  return crc;
});

/** For 2^k zero bytes: what each value of each of the four bytes of a checksum becomes. */
const zeroTables: Uint32Array[] = [];

/** Checksum of the bytes from 0 on, not inverted: of a difference it is the difference. */
export function linearCrc(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at += 1) {
    crc = (byteTable[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return crc >>> 0;
}

/**
 * @param crc as it stands before the records of a batch, say
 * @param before linear checksum of the part that was changed, as it was
 * @param after the same, as it is
 * @param bytesBehind what stands behind that part, and is the same
 */
export function amendedCrc(
  crc: number,
  { before, after, bytesBehind }: { before: number; after: number; bytesBehind: number },
): number {
  let difference = before ^ after;
  for (let power = 0, left = bytesBehind; left > 0; power += 1, left >>>= 1) {
    if ((left & 1) !== 0) difference = through(zeroTable(power), difference);
  }
  return (crc ^ difference) >>> 0;
}

function through(table: Uint32Array, crc: number): number {
  return (
    (table[crc & 0xff] ?? 0) ^
    (table[byteValues + ((crc >>> 8) & 0xff)] ?? 0) ^
    (table[2 * byteValues + ((crc >>> 16) & 0xff)] ?? 0) ^
    (table[3 * byteValues + (crc >>> 24)] ?? 0)
  );
}

function zeroTable(power: number): Uint32Array {
  const known = zeroTables[power];
  if (known !== undefined) return known;
  const step: (crc: number) => number =
    power === 0
      ? (crc) => (byteTable[crc & 0xff] ?? 0) ^ (crc >>> 8)
      : (crc) => through(zeroTable(power - 1), through(zeroTable(power - 1), crc));
  const made = Uint32Array.from({ length: 4 * byteValues }, (_, at) => {
    return step(((at % byteValues) << (8 * Math.floor(at / byteValues))) >>> 0);
  });
  zeroTables[power] = made;
  return made;
}
