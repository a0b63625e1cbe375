/** The demo's records: the lines of the project's own files, each keyed by file and line. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Line {
  readonly key: string;
  readonly value: string;
}

const root = path.dirname(import.meta.dirname);
const folders = ['src', 'test', 'docs', 'proto', 'topology', 'demo'];
const kinds = /\.(ts|md|proto|yaml|json)$/;

export function projectLines(): readonly Line[] {
  const files = folders
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => kinds.test(name))
        .map((name) => path.join(folder, name)),
    )
    .sort();
  return files.flatMap((file) =>
    readFileSync(path.join(root, file), 'utf8')
      .split('\n')
      .map((value, index) => ({ key: `${file}:${index + 1}`, value })),
  );
}
