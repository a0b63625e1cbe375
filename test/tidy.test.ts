/** Style that can be checked is checked: who may import whom, sizes, calls with a better way. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import ts from 'typescript';

const root = path.dirname(import.meta.dirname);

/** Types of packages that come in by another door: erased, they bring nothing with them. */
const typeDoors: readonly (readonly [name: RegExp, folders: readonly string[]])[] = [
  [/^kafkajs$/, ['client']],
];

/** In the order that data passes them: a folder imports from those before it, and from itself. */
const folders = [
  'base',
  'topology',
  'records',
  'offsets',
  'kafka',
  'flow',
  'groups',
  'mm2',
  'gen',
  'client',
  'api',
  'agent',
  'sandbox',
  'cli',
];

/** Packages with one door each. */
const doors: readonly (readonly [name: RegExp, folders: readonly string[]])[] = [
  [/^kafkajs(\/|$)/, ['kafka']],
  [/^(@grpc\/|grpc-health-check)/, ['api', 'client']],
  [/^(commander)(\/|$)/, ['cli']],
];

/** Folders that reach nothing outside the process: what they compute can be tested by itself. */
const pure = ['records', 'offsets'];
const outside = /^node:(fs|net|tls|http|http2|https|child_process|dgram|dns|worker_threads)/;

/** Generated messages are for those who speak gRPC; the command line goes through the client. */
const commandsWithAgent = ['agent', 'sandbox', 'demo'];

const banned: readonly (readonly [what: RegExp, instead: string, allowed: readonly string[]])[] = [
  [/\bDate\.now\(/, 'clock.nowMs()', ['src/base/clock.ts']],
  [/\bnew Date\(\)/, 'clock.nowMs()', []],
  [/\bperformance\.now\(/, 'clock.monotonicMs()', ['src/base/clock.ts']],
  [/\bMath\.random\(/, 'clock.random()', ['src/base/clock.ts']],
  [/(?<![.\w])set(Timeout|Interval)\(/, 'clock.sleep() or clock.after()', ['src/base/clock.ts']],
  [/\bconsole\.\w+\(/, "the log, or the command's writer", []],
  [/\bprocess\.exit\(/, 'an error that run-cli.ts maps', ['src/cli/main.ts']],
];

const fileLinesMax = 300;
const fileLinesHardMax = 500;
const functionLinesMax = 70;
const columnsMax = 100;

/** Modules longer than 300 lines for a reason; nothing may pass 500. */
const longFiles: Readonly<Record<string, string>> = {
  'src/flow/partition-copy.ts': 'one state machine, whose states are read against each other',
  'src/agent/site-agent.ts': 'the wiring of an agent, in one place',
};

const skipped = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage', '.sandbox']);

function filesUnder(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name)) return [];
    const name = path.posix.join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(name) : [name];
  });
}

const allFiles = filesUnder('.').filter((name) => name !== 'package-lock.json');
const isGenerated = (name: string): boolean => name.startsWith('src/gen/');
const isCode = (name: string): boolean => /\.(ts|js|mjs)$/.test(name) && !name.includes('/vendor/');
const code = allFiles.filter((name) => isCode(name) && !isGenerated(name));
const sources = code.filter((name) => name.startsWith('src/') && name.endsWith('.ts'));
const texts = new Map<string, string>();

function textOf(name: string): string {
  const text = texts.get(name) ?? readFileSync(path.join(root, name), 'utf8');
  texts.set(name, text);
  return text;
}

const linesOf = (name: string): string[] => textOf(name).replace(/\n$/, '').split('\n');

function parse(name: string): ts.SourceFile {
  return ts.createSourceFile(name, textOf(name), ts.ScriptTarget.ES2023, true);
}

/** What a module imports, also by type and by `import()`. */
function importsOf(name: string): string[] {
  return ts.preProcessFile(textOf(name), true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Whether every import of it is one of types. */
function isTypeOnly(name: string, target: string): boolean {
  return parse(name).statements.every((statement) => {
    if (!ts.isImportDeclaration(statement)) return true;
    const { moduleSpecifier: from, importClause: clause } = statement;
    if (!ts.isStringLiteral(from) || from.text !== target) return true;
    return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  });
}

const folderOf = (name: string): string => name.split('/')[1] ?? '';

/** Relative imports as paths from the root. */
function localImports(name: string): string[] {
  return importsOf(name)
    .filter((target) => target.startsWith('.'))
    .map((target) => path.posix.join(path.posix.dirname(name), target));
}

function none(breaches: readonly string[]): void {
  assert.equal(breaches.join('\n'), '');
}

test('there is something to check', () => {
  assert.ok(sources.length > 50 && allFiles.length > sources.length);
  assert.ok(sources.some((name) => localImports(name).length > 0));
});

describe('imports', () => {
  test('every folder of src is known', () => {
    none([...new Set(sources.map(folderOf))].filter((folder) => !folders.includes(folder)));
  });

  test('a folder imports only from those before it', () => {
    none(
      sources.flatMap((name) =>
        localImports(name)
          .filter((target) => {
            const isInside = target.startsWith('src/');
            return !isInside || folders.indexOf(folderOf(target)) > folders.indexOf(folderOf(name));
          })
          .map((target) => `${name} imports ${target}`),
      ),
    );
  });

  test('each foreign package comes in by its own door', () => {
    none(
      sources.flatMap((name) =>
        importsOf(name).flatMap((target) => {
          const door = doors.find(([wanted]) => wanted.test(target));
          const isAllowed = door === undefined || door[1].includes(folderOf(name));
          const types = typeDoors.find(([wanted]) => wanted.test(target));
          const isErased = types?.[1].includes(folderOf(name)) === true && isTypeOnly(name, target);
          return isAllowed || isErased ? [] : [`${name} imports ${target}`];
        }),
      ),
    );
  });

  test('generated messages stay with those who speak gRPC', () => {
    none(
      sources
        .filter((name) => !['api', 'client'].includes(folderOf(name)))
        .filter((name) => localImports(name).some(isGenerated)),
    );
  });

  test('commands reach agents through the client', () => {
    const allowed = new Set(commandsWithAgent.map((name) => `src/cli/commands/${name}.ts`));
    none(
      sources
        .filter((name) => name.startsWith('src/cli/commands/') && !allowed.has(name))
        .flatMap((name) =>
          localImports(name)
            .filter((target) => ['agent', 'sandbox'].includes(folderOf(target)))
            .map((target) => `${name} imports ${target}`),
        ),
    );
  });

  test('what only computes has no way out', () => {
    none(
      sources
        .filter((name) => pure.includes(folderOf(name)))
        .flatMap((name) =>
          importsOf(name)
            .filter((target) => outside.test(target))
            .map((target) => `${name} imports ${target}`),
        ),
    );
  });
});

describe('sizes', () => {
  test(`files: ${fileLinesMax} lines`, () => {
    none(
      code.flatMap((name) => {
        const lines = linesOf(name).length;
        const isShort = name.startsWith('src/') && !(name in longFiles);
        const max = isShort ? fileLinesMax : fileLinesHardMax;
        return lines > max ? [`${name}: ${lines} lines`] : [];
      }),
    );
    none(Object.keys(longFiles).filter((name) => linesOf(name).length <= fileLinesMax));
  });

  test(`functions: ${functionLinesMax} lines`, () => {
    const breaches: string[] = [];
    for (const name of sources) {
      const file = parse(name);
      const visit = (node: ts.Node): void => {
        if (ts.isFunctionLike(node)) {
          const first = file.getLineAndCharacterOfPosition(node.getStart()).line;
          const lines = file.getLineAndCharacterOfPosition(node.end).line - first + 1;
          if (lines > functionLinesMax) breaches.push(`${name}:${first + 1}: ${lines} lines`);
        }
        ts.forEachChild(node, visit);
      };
      visit(file);
    }
    none(breaches);
  });

  test(`lines: ${columnsMax} columns`, () => {
    none(
      code.flatMap((name) =>
        linesOf(name).flatMap((line, at) =>
          withoutTexts(line).length > columnsMax ? [`${name}:${at + 1}`] : [],
        ),
      ),
    );
  });
});

/** A long text or pattern is easier to find when it is not cut into pieces. */
function withoutTexts(line: string): string {
  return line.replace(/(['"`]).*\1|\/\^?.*\/[,;)]/g, '');
}

describe('words', () => {
  test('calls that have a better way', () => {
    none(
      sources.flatMap((name) =>
        banned.flatMap(([what, instead, allowed]) =>
          what.test(withoutComments(name)) && !allowed.includes(name)
            ? [`${name}: ${what.source}: use ${instead}`]
            : [],
        ),
      ),
    );
  });

  test('a module says first what it is', () => {
    none(sources.filter((name) => !/^(#!.*\n)?\/(\*\*|\/ )/.test(textOf(name))));
  });

  test('names are kebab-case, and say more than that something helps', () => {
    const vague = /(^|-)(utils?|helpers?|common|manager|handler|base|impl)\.ts$/;
    none(
      sources.filter((name) => {
        const file = path.posix.basename(name);
        const isIndex = file === 'index.ts' && name !== 'src/client/index.ts';
        return !/^[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(file) || isIndex || vague.test(file);
      }),
    );
  });

  test('nothing is left for later', () => {
    const marks = new RegExp(
      `\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`,
    );
    none(code.filter((name) => name !== 'test/tidy.test.ts' && marks.test(textOf(name))));
  });

  test('no file names the host of a package registry', () => {
    const hosts = [
      ['registry', 'npmjs'],
      ['registry', 'yarnpkg'],
      ['repo1?', 'maven'],
      ['repository', 'apache'],
      ['pypi', 'org'],
      ['pythonhosted', 'org'],
      ['deb', 'debian'],
      ['docker', 'io'],
      ['ghcr', 'io'],
      ['crates', 'io'],
    ].map((parts) => parts.join('\\.'));
    const named = new RegExp(hosts.join('|'));
    const isText = (name: string): boolean => /\.(ts|js|mjs|md|ya?ml|json|proto|toml)$/.test(name);
    none(
      [...allFiles.filter(isText), '.npmrc', 'Dockerfile', 'package-lock.json'].filter((name) =>
        named.test(textOf(name)),
      ),
    );
  });
});

/** The code alone; strings stay, as a call inside of one would be an oddity anyway. */
function withoutComments(name: string): string {
  return textOf(name)
    .replace(/\/\*[^]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');
}
