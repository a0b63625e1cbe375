// Generates src/gen from proto/. With --check: compares with what is there, and fails when it
// differs.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.dirname(path.dirname(new URL(import.meta.url).pathname));
const proto = path.join(root, 'proto');
const kept = path.join(root, 'src', 'gen');
const options = [
  'outputServices=grpc-js',
  'forceLong=bigint',
  'oneof=unions-value',
  'esModuleInterop=true',
  'importSuffix=.ts',
  'removeEnumPrefix=true',
  'enumsAsLiterals=true',
  'stringEnums=true',
  'useOptionals=messages',
  'useExactTypes=false',
  'outputIndex=false',
  'annotateFilesWithVersion=false',
];

function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

function generate(target) {
  mkdirSync(target, { recursive: true });
  const sources = filesUnder(proto).filter((name) => name.endsWith('.proto'));
  const bin = path.join(root, 'node_modules', '.bin');
  const result = spawnSync(
    path.join(bin, 'protoc'),
    [
      `--plugin=protoc-gen-ts_proto=${path.join(bin, 'protoc-gen-ts_proto')}`,
      `--ts_proto_out=${target}`,
      `--ts_proto_opt=${options.join(',')}`,
      `--proto_path=${proto}`,
      ...sources,
    ],
    { cwd: root, stdio: ['ignore', 2, 2] },
  );
  if (result.status !== 0) throw new Error(`protoc ended with ${result.status ?? result.signal}`);
}

const fresh = mkdtempSync(path.join(tmpdir(), 'causeway-gen-'));
try {
  generate(fresh);
  if (process.argv.includes('--check')) {
    const different = [...new Set([...filesUnder(fresh), ...filesUnder(kept)])].filter((name) => {
      const read = (folder) => {
        try {
          return readFileSync(path.join(folder, name), 'utf8');
        } catch {
          return undefined;
        }
      };
      return read(fresh) !== read(kept);
    });
    if (different.length > 0) {
      process.stderr.write(
        `src/gen is not what proto/ says: run npm run gen\n  ${different.join('\n  ')}\n`,
      );
      process.exitCode = 1;
    }
  } else {
    rmSync(kept, { recursive: true, force: true });
    cpSync(fresh, kept, { recursive: true });
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
