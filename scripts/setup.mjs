// Makes a fresh clone ready: installs the packages of package-lock.json when they are missing or
// older than it. Plain Node, because nothing else is there yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import path from 'node:path';

const root = path.dirname(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname));
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`causeway needs Node 20.19 or newer; this is ${process.versions.node}\n`);
  process.exit(2);
}

const lock = createHash('sha256')
  .update(readFileSync(path.join(root, 'package-lock.json')))
  .digest('hex');
const marker = path.join(root, 'node_modules', '.causeway-lock');
const isReady = existsSync(marker) && readFileSync(marker, 'utf8') === lock;
if (!isReady) {
  process.stderr.write('installing packages (once)\n');
  // Not `npm ci`: it refuses a lock file without the zstd builds for platforms that were never
  // published. `install --no-save` takes the locked versions all the same, and changes no file.
  const result = spawnSync('npm', ['install', '--no-save', '--no-progress', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.status !== 0) {
    process.stderr.write(
      `npm install failed with ${result.status ?? result.signal ?? 'no status'}\n`,
    );
    process.exit(1);
  }
  writeFileSync(marker, lock);
}
