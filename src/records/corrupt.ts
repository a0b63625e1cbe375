/**
 * The error of bytes that are not what Kafka's format says: names the place,
 * `topic/partition@offset`.
 */
import { MeshError } from '../base/errors.ts';

export function corrupt(place: string, found: string): MeshError {
  return new MeshError('batch_corrupt', `${place}: ${found}`, { details: { place } });
}
