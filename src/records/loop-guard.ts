/**
 * The second guard against cycles. In a topic whose name has k aliases the last k stamps are
 * ours; one that names the target says that the record has been there. Never asked of local
 * topics: there, stamps were copied along by applications and mean nothing.
 */
import { originKeyBytes, parseOrigin } from './origin.ts';
import type { RecordReader } from './record-reader.ts';

export interface LoopGuard {
  /** Aliases in the name of the source topic: at least 1. */
  readonly aliases: number;
  readonly targetSite: string;
}

export function isLooped(reader: RecordReader, guard: LoopGuard): boolean {
  const stamps: string[] = [];
  for (const { key, value } of reader.headers()) {
    if (value === null || !key.equals(originKeyBytes)) continue;
    const origin = parseOrigin(value);
    if (origin !== undefined) stamps.push(origin.site);
  }
  return stamps.slice(-guard.aliases).includes(guard.targetSite);
}
