/**
 * Makes a record batch ours: writes the producer's fields and the checksum in place. Done last,
 * when the sequence is known; a sealed batch is sent, and repeated, byte for byte as it is.
 */
import { crc32c } from '@node-rs/crc32';
import { assert } from '../base/assert.ts';
import { amendedCrc, linearCrc } from './amend-crc.ts';

export interface SealProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Sequence of the batch's first record; counts records, wraps at 2^31 - 1 to 0. */
  readonly baseSequence: number;
}

/** Places in a record batch v2, see "Record Batch" in Kafka's protocol documentation. */
const at = { magic: 16, crc: 17, attributes: 21, producerId: 43, epoch: 51, sequence: 53, end: 61 };

/** The checksum is made anew, over all of it. */
export function sealBatch(bytes: Buffer, producer: SealProducer): void {
  writeProducer(bytes, producer);
  bytes.writeUInt32BE(crc32c(bytes.subarray(at.attributes)), at.crc);
}

/**
 * Of a batch whose checksum holds: that is changed as the fields are. So it is, to the target's
 * broker, still the one that was made over the records by whoever wrote them.
 */
export function resealBatch(bytes: Buffer, producer: SealProducer, attributes: number): void {
  const before = linearCrc(bytes, at.attributes, at.end);
  writeProducer(bytes, producer);
  bytes.writeInt16BE(attributes, at.attributes);
  const after = linearCrc(bytes, at.attributes, at.end);
  const change = { before, after, bytesBehind: bytes.length - at.end };
  bytes.writeUInt32BE(amendedCrc(bytes.readUInt32BE(at.crc), change), at.crc);
}

function writeProducer(bytes: Buffer, producer: SealProducer): void {
  assert(bytes.length >= at.end && bytes[at.magic] === 2, 'a record batch of format 2');
  bytes.writeBigInt64BE(producer.producerId, at.producerId);
  bytes.writeInt16BE(producer.producerEpoch, at.epoch);
  bytes.writeInt32BE(producer.baseSequence, at.sequence);
}
