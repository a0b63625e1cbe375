/** Folders for what is written to disk. */
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/**
 * Level by level: where nothing can be made, in /proc for one, Node's own recursive call spins for
 * ever.
 * @throws Error of Node when it cannot be made
 */
export function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  makeFolder(path.dirname(dir));
  try {
    mkdirSync(dir);
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(dir)) throw error;
  }
}
