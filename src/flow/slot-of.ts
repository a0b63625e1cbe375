/** Which share of a flow's work a partition is part of: agents hold slots, not partitions. */
import { crc32c } from '@node-rs/crc32';
import { slotCount } from '../kafka/slots.ts';

/** The slot that a source partition belongs to, the same at every agent. */
export function slotOf(topic: string, partition: number): number {
  return crc32c(`${topic}/${partition}`) % slotCount;
}
