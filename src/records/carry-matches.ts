/**
 * Carries the matches of a source batch over to the batch being built.
 *
 * Stamping replaces the bytes around the two parts of each record that are kept, so a match holds
 * as far as both ends of it lie in kept parts; its distance grows by what was put in between:
 *
 *     source   |len..|===== kept =====|1|len..|===== kept =====|1|
 *                        <--- distance --->^ match
 *     new      |len...|===== kept =====|2|stamp|len...|===== kept =====|2|stamp|
 *                        <------ distance + 1 + stamp ----->^ match
 *
 * Matches that reach over an end of a part are split there. Stamps repeat one another but for a
 * digit or two, which the packer is told.
 */
import type { MatchPacker } from './match-packer.ts';
import { stretchShift, type MatchedText } from './matched-text.ts';

/** Shorter ones cost as much as they save. */
const lengthMin = 4;

/** All records placed since the last call; more of the same source batch may follow. */
export function carryMatches(source: MatchedText, packer: MatchPacker): void {
  const { starts, stampStarts, ends, placed } = source;
  for (let record = 0; record < placed; record += 1) {
    packer.record(starts[record] ?? 0, ends[record] ?? 0);
    carryPart(source, packer, record * 6);
    carryPart(source, packer, record * 6 + 3);
    packer.stamp(stampStarts[record] ?? 0, ends[record] ?? 0);
  }
  source.placed = 0;
}

/** The matches, or their pieces, that lie in one kept part. */
function carryPart(source: MatchedText, packer: MatchPacker, part: number): void {
  const { matches, matchesEnd, parts } = source;
  const from = parts[part] ?? 0;
  const to = parts[part + 1] ?? 0;
  const shift = parts[part + 2] ?? 0;
  let next = source.nextMatch;
  while (next < matchesEnd) {
    const at = matches[next] ?? 0;
    if (at >= to) break;
    const end = at + (matches[next + 1] ?? 0);
    const distance = matches[next + 2] ?? 0;
    if (at - distance >= from && end <= to) packer.match(at + shift, end - at, distance);
    else if (end > from) {
      carryPieces(source, packer, part, Math.max(at, from), Math.min(end, to), distance);
      if (end > to) break; // It goes on in the next part.
    }
    next += 3;
  }
  source.nextMatch = next;
}

/** [from, to) lies in that part; what it repeats may lie in several. */
function carryPieces(
  source: MatchedText,
  packer: MatchPacker,
  part: number,
  from: number,
  to: number,
  distance: number,
): void {
  const { parts, partOf } = source;
  const shift = parts[part + 2] ?? 0;
  let at = from;
  let other = partOf[Math.max(0, at - distance) >> stretchShift] ?? 0;
  while ((parts[other + 1] ?? 0) <= at - distance) other += 3;
  while (at + lengthMin <= to) {
    at = Math.max(at, (parts[other] ?? 0) + distance);
    const end = Math.min(to, (parts[other + 1] ?? 0) + distance);
    const newDistance = distance + shift - (parts[other + 2] ?? 0);
    if (end - at >= lengthMin) packer.match(at + shift, end - at, newDistance);
    at = Math.max(at, end);
    other += 3;
  }
}
