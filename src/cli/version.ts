/** The version in package.json, which lies above `src` and above `dist` alike. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export function softwareVersion(): string {
  const file = path.join(import.meta.dirname, '..', '..', 'package.json');
  // A package.json has a version.
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
