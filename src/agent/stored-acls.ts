/** The stored form of the ACLs that were added for a flow: JSON, checked when it is read. */
import { z } from 'zod';
import { MeshError } from '../base/errors.ts';
import type { TopicAcl } from '../kafka/cluster.ts';

const schema = z.array(
  z.object({
    pattern: z.enum(['literal', 'prefixed']),
    name: z.string(),
    principal: z.string(),
    host: z.string(),
    operation: z.enum(['read', 'describe']),
    permission: z.enum(['allow', 'deny']),
  }),
);

/** @throws MeshError state_corrupt */
export function parseAcls(key: string, value: Buffer): readonly TopicAcl[] {
  try {
    return schema.parse(JSON.parse(value.toString('utf8')));
  } catch (cause) {
    const text = `record ${key}: not the ACLs of a flow, version 1`;
    throw new MeshError('state_corrupt', text, { cause, details: { key } });
  }
}
