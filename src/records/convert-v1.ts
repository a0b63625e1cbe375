/**
 * Messages of the formats v0 and v1, which clusters before 4.0 may still hold on disk, as one
 * batch of format 2 with the same records, offsets and times; uncompressed.
 *
 * Message: offset i64, size i32, crc u32 (CRC-32), magic i8, attributes i8, [v1: timestamp i64],
 * key, value (int32 lengths, -1 null). A compressed message holds messages in its value; in v1
 * their offsets count from 0 and the outer one's is that of the last.
 */
import { crc32 } from '@node-rs/crc32';
import { batchAt, readOffset } from './batch-header.ts';
import { encodeBatch, type PlainRecord } from './build-batch.ts';
import { codecOf, decompress } from './codecs.ts';
import { corrupt } from './corrupt.ts';

const messageAt = { crc: 12, magic: 16, attributes: 17, timestamp: 18 } as const;
const logAppendTime = 1 << 3;

interface OldMessage extends PlainRecord {
  readonly offset: number;
}

/** @throws MeshError batch_corrupt, naming `where@offset` */
export function convertOldMessages(bytes: Buffer, where: string): Buffer {
  const outer = readOffset(bytes, batchAt.baseOffset);
  const messages = readMessages(bytes, `${where}@${outer}`);
  const first = messages[0];
  const last = messages.at(-1);
  if (first === undefined || last === undefined) throw corrupt(`${where}@${outer}`, 'no message');
  return encodeBatch(messages, {
    baseOffset: first.offset,
    offsetDelta: (index) => (messages[index]?.offset ?? 0) - first.offset,
  });
}

function readMessages(bytes: Buffer, place: string): OldMessage[] {
  const messages: OldMessage[] = [];
  for (let at = 0; at + 12 <= bytes.length;) {
    const to = at + 12 + bytes.readInt32BE(at + 8);
    if (to > bytes.length || to < at + 26) throw corrupt(place, `message of ${to - at} bytes`);
    messages.push(...readMessage(bytes.subarray(at, to), place));
    at = to;
  }
  return messages;
}

function readMessage(message: Buffer, place: string): OldMessage[] {
  if (crc32(message.subarray(messageAt.magic)) !== message.readUInt32BE(messageAt.crc)) {
    throw corrupt(place, 'checksum of an old message does not match');
  }
  const magic = message[messageAt.magic] ?? 0;
  const attributes = message[messageAt.attributes] ?? 0;
  const offset = readOffset(message, 0);
  const timestampMs = magic === 1 ? Number(message.readBigInt64BE(messageAt.timestamp)) : -1;
  const keyAt = magic === 1 ? messageAt.timestamp + 8 : messageAt.timestamp;
  const [key, valueAt] = readBytes(message, keyAt, place);
  const [value] = readBytes(message, valueAt, place);
  const codec = codecOf(attributes);
  if (codec === 'none') return [{ offset, timestampMs, key, value }];
  const inner = readMessages(decompress(codec, value ?? Buffer.alloc(0)), place);
  // In v1 the inner offsets count from 0, and the outer one is that of the last.
  const shift = magic === 1 ? offset - (inner.at(-1)?.offset ?? 0) : 0;
  const appended = (attributes & logAppendTime) !== 0;
  return inner.map((one) => ({
    ...one,
    offset: one.offset + shift,
    timestampMs: appended ? timestampMs : one.timestampMs,
  }));
}

function readBytes(message: Buffer, at: number, place: string): [Buffer | null, number] {
  if (at + 4 > message.length) throw corrupt(place, 'an old message ends early');
  const length = message.readInt32BE(at);
  if (length < 0) return [null, at + 4];
  const to = at + 4 + length;
  if (to > message.length) throw corrupt(place, `a part of ${length} bytes in an old message`);
  return [message.subarray(at + 4, to), to];
}
