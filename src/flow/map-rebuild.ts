/**
 * Reads back what the offset map of a partition has lost: walks the target's log from its end to
 * its start in windows, and fills the runs that the stamps tell. Recent records come first,
 * because the groups that lag least are the ones that fail over most.
 *
 * Runs beside the copying and never holds it up; when it is cut short, the next takeover of a
 * partition whose map is still missing begins it anew. Ends where the pass lane wrote: what it
 * copied carries no stamps, and the map knew it alone.
 */
import { errorMessage } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { MapWriter } from '../offsets/map-book.ts';
import { runsBetween } from './runs-between.ts';
import type { TailReader } from './tail-reader.ts';

const windowRecords = 200_000;

export interface Unmapped {
  /** Target offsets [from, to) that hold copies which the map does not know. */
  readonly from: number;
  readonly to: number;
  /** Everything in there comes from source offsets [sourceFrom, sourceTo). */
  readonly sourceFrom: number;
  readonly sourceTo: number;
  /** What lies before `sourceFrom` was copied too, in an earlier life. */
  readonly isContinued: boolean;
}

export interface Rebuild {
  /** undefined: the map knows it all. */
  readonly unmapped: Unmapped | undefined;
  readonly reader: TailReader;
  readonly map: MapWriter;
}

/** Until it is done or cut short; never rejects: what was not read back is told to the log. */
export async function rebuildMap(
  { unmapped, reader, map }: Rebuild,
  log: Log,
  names: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  if (unmapped === undefined) return;
  const { from, to } = unmapped;
  log.info({ ...names, from, to }, 'offset map: reading back');
  try {
    const { isCut } = await readBack(unmapped, reader, map, signal);
    const text = isCut ? 'read back, up to copies of the pass lane' : 'read back';
    if (!signal.aborted) log.info(names, `offset map: ${text}`);
  } catch (error) {
    log.warn({ ...names, why: errorMessage(error) }, 'offset map: not read back');
  }
}

async function readBack(
  unmapped: Unmapped,
  reader: TailReader,
  map: MapWriter,
  signal: AbortSignal,
): Promise<{ readonly isCut: boolean }> {
  let end = unmapped.to;
  let sourceTo = unmapped.sourceTo;
  while (end > unmapped.from && !signal.aborted) {
    const begin = Math.max(unmapped.from, end - windowRecords);
    const { runs, isCut } = await reader.read(begin, end, signal);
    const fresh = runsBetween(runs, 0, sourceTo);
    const first = fresh[0];
    // At the start of a log that was never trimmed, what precedes the first copy is known too.
    const isWhole = begin === 0 && !isCut;
    const sourceFrom = isWhole ? unmapped.sourceFrom : first?.sourceOffset;
    if (sourceFrom !== undefined && sourceFrom < sourceTo) {
      map.fill(fresh, sourceFrom, sourceTo, isWhole && !unmapped.isContinued);
      sourceTo = sourceFrom;
    }
    if (isCut) return { isCut };
    end = begin;
  }
  return { isCut: false };
}
