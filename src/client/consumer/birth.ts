/**
 * Where a record was born: the same at every site, so what a handler can remember to tell a record
 * that it has handled from one that it has not.
 */
import type { KafkaMessage } from 'kafkajs';
import { originKey, parseOrigin } from '../../records/origin.ts';

/** `east/orders/3@1207` */
export interface Birth {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

export interface ReadAt {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  /** How many copies it took to come here: 0 for a topic that was born here. */
  readonly hops: number;
}

/** undefined: a copy without stamp, as the pass lane makes them. */
export function birthOf(message: KafkaMessage, { hops, ...at }: ReadAt): Birth | undefined {
  if (hops === 0) return { ...at, offset: BigInt(message.offset) };
  const found = message.headers?.[originKey];
  const stamps = (Array.isArray(found) ? found : [found]).slice(-hops);
  const [first] = stamps;
  if (first === undefined || stamps.length < hops) return undefined;
  const origin = parseOrigin(Buffer.from(first));
  if (origin === undefined) return undefined;
  const { site, topic, partition, offset } = origin;
  return { site, topic, partition, offset: BigInt(offset) };
}
