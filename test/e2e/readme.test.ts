/** The tour of the README, pasted into a shell as it stands there, but for ports and folder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PastedPage } from '../support/pasted-script.ts';

test('the tour does what it says', async () => {
  const page = new PastedPage('README.md', '## Five minutes');
  const script = (await page.script()).replace('npm run setup && ', '');
  assert.match(script, /causeway failover .*--execute/);
  const text = await page.paste(script);
  for (const wanted of [
    /no problems/,
    /^order 1000$/m,
    /^order 400$/m,
    /^east\/orders\/0 +400 +east\.orders@401 +exact +in_run/m,
    /billing is at home at west \(epoch 2\)/,
    /^order 401$/m,
    /billing is at home at east \(epoch 3\)/,
  ]) {
    assert.match(text, wanted);
  }
});
