/** What the documentation says that can be checked is checked. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { watchEventLoop } from '../../src/agent/event-loop.ts';
import { collectAgentMetrics } from '../../src/agent/agent-metrics.ts';
import { systemClock } from '../../src/base/clock.ts';
import { MetricRegistry } from '../../src/base/metrics.ts';
import { FlowMeter } from '../../src/flow/flow-meter.ts';
import { parseTopology } from '../../src/topology/parse.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const pages = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.md') && !/(^|\/)(node_modules|dist|\.cache)\//.test(name),
);
const textOf = (page: string): string => readFileSync(path.join(root, page), 'utf8');

function fenced(text: string, language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
    .filter(([, found]) => found === language)
    .map(([, , body = '']) => body);
}

function toldMetrics(page: string): (string | undefined)[] {
  const rows = textOf(page).matchAll(/^\| `(causeway_\w+)`/gm);
  return [...rows].map(([, name]) => name).sort();
}

describe('the documentation', () => {
  test('there is some', () => {
    assert.ok(pages.length > 12, pages.join());
  });

  test('its links lead somewhere', () => {
    const broken = pages.flatMap((page) =>
      [...textOf(page).matchAll(/\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g)]
        .map(([, link = '']) => link)
        .filter((link) => !existsSync(path.join(root, path.dirname(page), link)))
        .map((link) => `${page}: ${link}`),
    );
    assert.deepEqual(broken, []);
  });

  test('files of the project that it names are there', () => {
    const missing = pages.flatMap((page) =>
      [...textOf(page).matchAll(/`((?:src|test|docs|scripts|topology|proto)\/[\w./-]+\.\w+)`/g)]
        .map(([, file = '']) => file)
        .filter((file) => !existsSync(path.join(root, file)))
        .map((file) => `${page}: ${file}`),
    );
    assert.deepEqual(missing, []);
  });

  test('commands and flags in it exist', () => {
    const wrong: string[] = [];
    const helps = new Map<string, string>();
    const helpOf = (words: readonly string[]): string => {
      const name = words.join(' ');
      const known = helps.get(name);
      if (known !== undefined) return known;
      const args = ['--import', 'tsx', path.join(root, 'src/cli/main.ts'), ...words, '--help'];
      const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: root });
      const text = status === 0 ? stdout : '';
      helps.set(name, text);
      return text;
    };
    for (const page of pages) {
      const lines = ['', 'sh'].flatMap((language) => fenced(textOf(page), language)).join('\n');
      for (const [line] of lines.matchAll(/^(bin\/|\$)?causeway [a-z].*$/gm)) {
        const words = line
          .replace(/\s#.*$/, '')
          .split(/\s+/)
          .slice(1);
        const command = words[0] === 'sandbox' ? words.slice(0, 2) : words.slice(0, 1);
        const help = helpOf(command);
        if (help === '') wrong.push(`${page}: causeway ${command.join(' ')}`);
        for (const flag of words.filter((word) => word.startsWith('-'))) {
          const isKnown = new RegExp(`(^|[\\s,])${flag}\\b`, 'm').test(help);
          if (!isKnown) wrong.push(`${page}: causeway ${command.join(' ')} ${flag}`);
        }
      }
    }
    assert.ok(helps.size >= 6, [...helps.keys()].join());
    assert.deepEqual(wrong, []);
  });

  test('code in it is that of the examples, which the tests run', () => {
    const squeeze = (text: string): string => text.replace(/^[ \t]+/gm, '').trim();
    const programs = readdirSync(path.join(root, 'examples'), {
      recursive: true,
      encoding: 'utf8',
    })
      .filter((name) => /\.(ts|py|java)$/.test(name))
      .map((name) => squeeze(textOf(path.join('examples', name))));
    const blocks = ['ts', 'python', 'java'].flatMap((language) =>
      fenced(textOf('docs/clients.md'), language),
    );
    assert.ok(blocks.length >= 5);
    const others = blocks.filter((block) => !programs.some((one) => one.includes(squeeze(block))));
    assert.deepEqual(others, []);
  });

  test('npm scripts in it exist', () => {
    // The package file is our own.
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const unknown = pages.flatMap((page) =>
      [...textOf(page).matchAll(/npm run ([a-z]+)/g)]
        .map(([, name = '']) => name)
        .filter((name) => scripts[name] === undefined)
        .map((name) => `${page}: ${name}`),
    );
    assert.deepEqual(unknown, []);
  });

  test('the topology files in it are right', () => {
    const files = pages.flatMap((page) =>
      fenced(textOf(page), 'yaml')
        .filter((text) => text.startsWith('apiVersion'))
        .map((text) => parseTopology(text, page)),
    );
    assert.ok(files.length >= 2);
  });

  test('metrics: those that there are, and no others', () => {
    const metrics = new MetricRegistry();
    new FlowMeter('east->west', systemClock, metrics);
    collectAgentMetrics(metrics, () => undefined);
    watchEventLoop({ clock: systemClock, metrics })();
    const names: string[] = [];
    metrics.onFamily(({ name }) => names.push(name));
    assert.deepEqual(toldMetrics('docs/api.md'), names.sort());
    const source = textOf('src/client/consumer/consumer-metrics.ts');
    const client = [...source.matchAll(/'(causeway_client_\w+)'/g)].map(([, name]) => name);
    assert.ok(client.length > 0);
    assert.deepEqual(toldMetrics('docs/clients.md'), client.sort());
  });

  test('reasons of translations: those that there are, and no others', () => {
    const answers = textOf('src/groups/answer.ts');
    const source = answers.split('type TranslationReason =')[1]?.split('\n\n')[0] ?? '';
    const known = [...source.matchAll(/^ {2}\| '([a-z_]+)'/gm)].map(([, name]) => name);
    const table = textOf('docs/failover.md').split('### Reasons')[1]?.split('###')[0] ?? '';
    const told = [...table.matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) => name);
    assert.ok(known.length > 10);
    assert.deepEqual(told.sort(), known.sort());
  });
});
