/** A place in a log as people write it: `topic/partition@offset`. */
import { MeshError } from '../base/errors.ts';

export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** @param what names the text in the error @throws MeshError usage */
export function parsePosition(text: string, what: string): Position {
  const [, topic, partition, offset] = /^([A-Za-z0-9._-]+)\/(\d{1,9})@(\d{1,18})$/.exec(text) ?? [];
  if (topic !== undefined && partition !== undefined && offset !== undefined) {
    return { topic, partition: Number(partition), offset: BigInt(offset) };
  }
  const found = JSON.stringify(text);
  throw new MeshError('usage', `${what}: found ${found}, wanted topic/partition@offset`);
}
