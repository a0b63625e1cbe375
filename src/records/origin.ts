/**
 * The provenance header: where a record was born, or came from on this hop. Always the last
 * header appended counts; what applications wrote is never removed.
 *
 * Key `causeway-origin`, value UTF-8 `site/topic/partition@offset`, then `#2`, `#3`… from the
 * second generation of the source topic on. `/`, `@` and `#` cannot be in names of sites and
 * topics.
 */
export interface Origin {
  readonly site: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** 1, and one more each time that the source topic began anew. */
  readonly generation: number;
}

export const originKey = 'causeway-origin';
export const originKeyBytes = Buffer.from(originKey);

const pattern =
  /^([a-z][a-z0-9-]{0,31})\/([A-Za-z0-9._-]{1,249})\/(\d{1,10})@(\d{1,16})(?:#(\d{1,9}))?$/;

export function formatOrigin(origin: Origin): string {
  const { site, topic, partition, offset, generation } = origin;
  const suffix = generation > 1 ? `#${generation}` : '';
  return `${site}/${topic}/${partition}@${offset}${suffix}`;
}

/** undefined when the text is not an origin: anyone may write a header of that name. */
export function parseOrigin(value: Buffer): Origin | undefined {
  const found = pattern.exec(value.toString('latin1'));
  if (found === null) return undefined;
  const [, site = '', topic = '', partition, offset, generation = '1'] = found;
  const origin = { site, topic, partition: Number(partition), offset: Number(offset) };
  return Number.isSafeInteger(origin.offset)
    ? { ...origin, generation: Number(generation) }
    : undefined;
}
