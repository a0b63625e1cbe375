// Compiles src/ into dist/ when dist/ is not of this source: `npm run build`, and each start of
// bin/causeway from a checkout. Plain Node, because a fresh clone has nothing else yet.
// One build at a time, whoever asks: a second one waits for the first and then finds it done.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const stampFile = path.join(dist, '.built-from');
const lock = path.join(root, '.cache', 'build.lock');
const waitMsMax = 180_000;
const pollMs = 100;

/** Files that decide what the build makes, relative to the root. */
function inputs() {
  const configs = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
  return [...filesUnder('src'), ...configs].sort();
}

function filesUnder(folder) {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)));
}

function digest() {
  const hash = createHash('sha256');
  for (const name of inputs()) hash.update(`${name}\0`).update(readFileSync(path.join(root, name)));
  return hash.digest('hex');
}

/** First by times, which is quick; a checkout that only touched files is told by the contents. */
export function isBuilt() {
  if (!existsSync(path.join(root, 'src'))) return true; // Installed without sources.
  if (!existsSync(stampFile)) return false;
  if (!existsSync(path.join(root, 'node_modules', '.causeway-lock'))) return false;
  const built = JSON.parse(readFileSync(stampFile, 'utf8'));
  const names = inputs();
  const isOlder = (name) => statSync(path.join(root, name)).mtimeMs < built.startedAtMs;
  return (names.length === built.files && names.every(isOlder)) || built.digest === digest();
}

/**
 * Returns the exit code: 0 when dist/ is of this source now. What there is to say goes to stderr.
 */
export function build() {
  if (isBuilt()) return 0;
  takeLock();
  try {
    if (isBuilt()) return 0;
    const setUp = run([path.join(root, 'scripts', 'setup.mjs')]);
    if (setUp !== 0) return setUp;
    process.stderr.write('building causeway\n');
    // As of before the compiler reads: what is changed meanwhile is built next time.
    const startedAtMs = Date.now();
    const stamp = JSON.stringify({ startedAtMs, files: inputs().length, digest: digest() });
    removeOrphans();
    const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const compiled = run([tsc, '-p', path.join(root, 'tsconfig.build.json')]);
    if (compiled !== 0) return compiled;
    copyAssets();
    writeFileSync(stampFile, stamp);
    return 0;
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function run(args) {
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  return result.status ?? 1;
}

/** What is not TypeScript, such as the dashboard's page, is taken as it is. */
function copyAssets() {
  for (const name of filesUnder('src')) {
    if (name.endsWith('.ts')) continue;
    const target = path.join(dist, path.relative('src', name));
    mkdirSync(path.dirname(target), { recursive: true });
    copyFileSync(path.join(root, name), target);
  }
}

/** Output of a source file that is no longer there. */
function removeOrphans() {
  if (!existsSync(dist)) return;
  for (const name of filesUnder('dist')) {
    const source = name.replace(/^dist/, 'src').replace(/(\.d\.ts|\.js\.map|\.js)$/, '.ts');
    const isKept = path.basename(name).startsWith('.');
    if (isKept || existsSync(path.join(root, source))) continue;
    if (existsSync(path.join(root, name.replace(/^dist/, 'src')))) continue;
    rmSync(path.join(root, name));
  }
}

function takeLock() {
  mkdirSync(path.dirname(lock), { recursive: true });
  const deadline = performance.now() + waitMsMax;
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(path.join(lock, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isHolderAlive()) rmSync(lock, { recursive: true, force: true });
    else if (performance.now() > deadline) throw new Error(`another build holds ${lock}`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
  }
}

function isHolderAlive() {
  try {
    process.kill(Number(readFileSync(path.join(lock, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    // Without a pid yet the lock is only just being taken.
    const isNew = error.code === 'ENOENT' && existsSync(lock);
    return error.code === 'EPERM' || (isNew && Date.now() - statSync(lock).mtimeMs < 5_000);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = build();
