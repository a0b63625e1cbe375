/** The JSON Schema of the topology file, for editors: from the definition that parsing uses. */
import { z } from 'zod';
import { fileSchema } from './file-schema.ts';

export function topologyJsonSchema(): object {
  const schema = z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' });
  return { title: 'Causeway topology', ...schema };
}
