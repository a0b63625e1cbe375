/** Assertions state what must hold; one that fails is a defect of ours, never bad input. */
import { MeshError } from './errors.ts';

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new MeshError('defect', `assertion failed: ${message}`);
}

/** Closes a switch over a tagged union: the compiler refuses it while a case is missing. */
export function assertNever(value: never): never {
  throw new MeshError('defect', `impossible value: ${JSON.stringify(value)}`);
}

/** The value, or a defect that names what was missing. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new MeshError('defect', `missing: ${what}`);
  return value;
}
