/**
 * Files that are made from the code: docs/errors.md from the table of errors, topology/schema.json
 * from the definition that parsing uses. With --check: fails when one is not up to date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as prettier from 'prettier';
import { errorTable } from '../src/base/errors.ts';
import { topologyJsonSchema } from '../src/topology/json-schema.ts';

const root = path.dirname(import.meta.dirname);

function errorPage(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { kind, grpc, advice }]) => `| \`${code}\` | ${kind} | ${grpc} | ${advice} |`,
  );
  return `# Errors

Every error has a code, a message that says where, what was found and what was wanted, and one
sentence of advice. The command line prints message and advice; HTTP answers
\`{"error": {code, message, advice, details}}\`; gRPC carries the code in its status. This page is
made by \`npm run gen\`.

- \`operator\`: somebody must do something; shown whole, never retried
- \`transient\`: retried where it happened, within bounds
- \`defect\`: ours; the flow that met it stops and says so

| code | kind | gRPC status | what to do |
|---|---|---|---|
${rows.join('\n')}
`;
}

const schema = await prettier.format(JSON.stringify(topologyJsonSchema()), {
  ...(await prettier.resolveConfig(path.join(root, 'package.json'))),
  parser: 'json',
});
const pages: readonly (readonly [file: string, text: string])[] = [
  ['docs/errors.md', errorPage()],
  ['topology/schema.json', schema],
];
for (const [file, text] of pages) {
  const full = path.join(root, file);
  if (!process.argv.includes('--check')) writeFileSync(full, text);
  else if (readFileSync(full, 'utf8') !== text) {
    process.stderr.write(`${file} is not what the code says: run npm run gen\n`);
    process.exitCode = 1;
  }
}
