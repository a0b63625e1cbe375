/**
 * What a fetch of a remote topic says of where its records came from: stretches of records whose
 * stamps step by one, as their offsets do. Read at takeovers and to rebuild a lost map.
 */
import { completeBatches } from './batch-header.ts';
import { originKeyBytes, parseOrigin, type Origin } from './origin.ts';
import { RecordReader } from './record-reader.ts';
import { readBatch, recordsOf } from './source-batch.ts';

export interface OriginStretch {
  readonly targetOffset: number;
  readonly length: number;
  readonly producerId: bigint;
  /** Stamp of the first record of the stretch; undefined: these records carry none. */
  readonly origin: Origin | undefined;
}

/** Records at or above offset `from`; markers yield nothing. @throws MeshError batch_corrupt */
export function* scanOrigins(
  records: Buffer,
  from: number,
  where = 'remote topic',
): Iterable<OriginStretch> {
  let open: OriginStretch | undefined;
  for (const { from: at, to } of completeBatches(records)) {
    const batch = readBatch(records.subarray(at, to), where);
    if (batch.isControl || batch.lastOffset < from) continue;
    const reader = new RecordReader(recordsOf(batch, where), `${where}@${batch.baseOffset}`);
    while (reader.next()) {
      const targetOffset = batch.baseOffset + reader.offsetDelta;
      if (targetOffset < from) continue;
      const origin = lastOrigin(reader);
      if (open !== undefined && continues(open, targetOffset, batch.producerId, origin)) {
        open = { ...open, length: open.length + 1 };
        continue;
      }
      if (open !== undefined) yield open;
      open = { targetOffset, length: 1, producerId: batch.producerId, origin };
    }
  }
  if (open !== undefined) yield open;
}

function lastOrigin(reader: RecordReader): Origin | undefined {
  let found: Origin | undefined;
  for (const { key, value } of reader.headers()) {
    if (value === null || !key.equals(originKeyBytes)) continue;
    found = parseOrigin(value) ?? found;
  }
  return found;
}

function continues(
  open: OriginStretch,
  targetOffset: number,
  producerId: bigint,
  origin: Origin | undefined,
): boolean {
  if (open.producerId !== producerId) return false;
  if (open.targetOffset + open.length !== targetOffset) return false;
  if (open.origin === undefined || origin === undefined) return open.origin === origin;
  return (
    origin.offset === open.origin.offset + open.length &&
    origin.partition === open.origin.partition &&
    origin.generation === open.origin.generation &&
    origin.topic === open.origin.topic &&
    origin.site === open.origin.site
  );
}
