/** The small words of conversion: enum names, site names, values that must be there. */
import { MeshError } from '../base/errors.ts';
import { isSiteName, type SiteName } from '../base/ids.ts';

/** `exact` -> `CERTAINTY_EXACT` */
export function toEnum(prefix: string, name: string): string {
  return `${prefix}_${name.toUpperCase()}`;
}

/**
 * `CERTAINTY_EXACT` -> `exact`, if it is one of those known here. @throws MeshError peer_rejected
 */
export function fromEnum<T extends string>(prefix: string, value: string, known: readonly T[]): T {
  const name = value.slice(prefix.length + 1).toLowerCase();
  const found = known.find((one) => one === name);
  if (found !== undefined) return found;
  throw malformed(`${prefix.toLowerCase()} ${value}`, known.join(', '));
}

export function oneOf<T extends string>(what: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw malformed(`${what} ${JSON.stringify(value)}`, known.join(', '));
}

export function site(text: string): SiteName {
  if (isSiteName(text)) return text;
  throw malformed(`site ${JSON.stringify(text)}`, 'a site name');
}

export function present<T>(value: T | undefined, what: string): T {
  if (value !== undefined) return value;
  throw malformed(`no ${what}`, what);
}

function malformed(found: string, wanted: string): MeshError {
  return new MeshError('peer_rejected', `a message with ${found}; wanted ${wanted}`);
}
