/** The walkthroughs of the modes of groups, pasted into a shell as they stand on their page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PastedPage } from '../support/pasted-script.ts';

test('the walkthroughs do what they say', async () => {
  const page = new PastedPage('docs/walkthroughs.md');
  const text = await page.paste(await page.script());
  let rest = text;
  for (const wanted of [
    // single
    /^order 400$/m,
    /^billing +west +single +east \(epoch 1\) +ready /m,
    /^not at west of what was written at east: ≥ 50\b/m,
    /billing is at home at west \(epoch 2\)/,
    /^order 401$/m,
    /^east\/orders\/0 +\[1,000, \?\) +- +≥ 50 +waiting .* billing$/m,
    /^order 1050$/m,
    /^east\/orders\/0 +\[1,000, 1,050\) +east\.orders \[\S+, \S+\) +50 +arrived .* billing$/m,
    /billing is at home at east \(epoch 3\)/,
    // local and everywhere
    /^east item 300$/m,
    /^west item 200$/m,
    /^page 60$/m,
    /^refused: stock is of mode local: .*; --as stock\.east moves it under another$/m,
    /stock\.east is at home at west \(epoch 1\), for stock of east/,
    /^east item 301$/m,
    /^refused: search is of mode everywhere: .*; nothing to do$/m,
    /^page 61$/m,
    /stock is at home at east again \(epoch 2\)/,
    /^east item 451$/m,
    /^page 120$/m,
    // off
    /^entry 70$/m,
    /^report east->west +mode off +no home/m,
    /report is at home at west \(epoch 1\)/,
    /^entry 71$/m,
    /west +failover +billing +billing is at home at west \(epoch 2\)/,
    /east +switchover +stock\.east +stock\.east as stock is at home at east \(epoch 2\)/,
  ]) {
    const found = wanted.exec(rest);
    assert.ok(found !== null, `${wanted} does not follow in\n${text}`);
    rest = rest.slice(found.index + found[0].length);
  }
});
