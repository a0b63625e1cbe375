import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FlowContext, FlowEvent } from '../../../src/flow/flow-context.ts';
import { Resets } from '../../../src/flow/resets.ts';
import type { TailReader } from '../../../src/flow/tail-reader.ts';
import { findCut, isCut, type TargetQuestion } from '../../../src/flow/target-check.ts';
import { openMapBook } from '../../../src/offsets/open-map-book.ts';
import type { Run } from '../../../src/offsets/run.ts';

const id = { topic: 'orders', remoteTopic: 'east.orders', partition: 0, slot: 1 };
const place = { flow: 'east->west', topic: 'orders', partition: 0 };

interface Log {
  readonly start: number;
  readonly end: number;
  /** Copies that are in it. */
  readonly runs: readonly Run[];
  /** Of copies before that offset neither stamp nor journal tells what they are. */
  readonly toldFrom?: number;
}

/** A map that knows 150 copies: 100 from target offset 1 on, 50 more behind a marker. */
function question(
  log: Log,
  options: { policy?: 'pause' | 'continue'; cleanup?: string; sourceStart?: number } = {},
): { asked: TargetQuestion; events: FlowEvent[] } {
  const { policy = 'continue', cleanup = 'delete', sourceStart = 0 } = options;
  const maps = openMapBook();
  const map = maps.writer({ ...place, generation: 1 });
  map.begin(1, { source: 0, target: 1 }, true);
  map.append({ sourceOffset: 0, targetOffset: 1, length: 100 });
  map.append({ sourceOffset: 100, targetOffset: 102, length: 50 });
  const events: FlowEvent[] = [];
  const cluster = {
    name: 'west',
    topicConfigs: () =>
      Promise.resolve(new Map([['east.orders', [{ name: 'cleanup.policy', value: cleanup }]]])),
  };
  // Only what is asked for is there.
  const context = {
    settings: { id: 'east->west', from: 'east', to: 'west', onTargetReset: policy },
    maps,
    passes: { has: () => log.toldFrom !== undefined, sync: () => Promise.resolve() },
    lanes: { of: () => ({ lane: 'stamp', why: '' }) },
    target: { cluster, ends: { ask: () => Promise.resolve({ errorCode: 0, offset: log.end }) } },
    onEvent: (event: FlowEvent) => events.push(event),
  } as unknown as FlowContext;
  const read = (from: number, to: number): Promise<{ runs: Run[]; untold?: number }> => {
    const all = log.runs.flatMap(({ sourceOffset, targetOffset, length }) => {
      const begin = Math.max(from, targetOffset);
      const count = Math.min(to, targetOffset + length) - begin;
      const clipped = { sourceOffset: sourceOffset + begin - targetOffset, targetOffset: begin };
      return count > 0 ? [{ ...clipped, length: count }] : [];
    });
    const isTold = ({ targetOffset }: Run): boolean => targetOffset >= (log.toldFrom ?? 0);
    const untold = all.filter((run) => !isTold(run)).at(-1);
    const runs = all.filter(isTold);
    return Promise.resolve(
      untold === undefined ? { runs } : { runs, untold: untold.targetOffset + untold.length - 1 },
    );
  };
  const ends = { sourceStart, sourceEnd: 150, targetStart: log.start, targetEnd: log.end };
  const asked = {
    ...{ id, context, map, ends, resets: new Resets(id, context) },
    ...{ reader: { read } as unknown as TailReader, signal: new AbortController().signal },
  };
  return { asked, events };
}

const first = { sourceOffset: 0, targetOffset: 1, length: 100 };
const second = { sourceOffset: 100, targetOffset: 102, length: 50 };

describe('whether copies vanished from a target', () => {
  const cases: readonly (readonly [string, Log, boolean])[] = [
    ['it is whole', { start: 0, end: 152, runs: [first, second] }, false],
    ['markers came behind', { start: 0, end: 160, runs: [first, second] }, false],
    ['trimmed at its start', { start: 90, end: 152, runs: [second] }, false],
    ['emptied by retention', { start: 152, end: 152, runs: [] }, false],
    ['it ends earlier', { start: 0, end: 120, runs: [first] }, true],
    ['cut, then grown by markers past its end', { start: 0, end: 170, runs: [first] }, true],
    [
      'cut, then grown by copies of something else',
      { start: 0, end: 170, runs: [first, { sourceOffset: 150, targetOffset: 110, length: 50 }] },
      true,
    ],
  ];
  for (const [what, log, wanted] of cases) {
    test(what, async () => assert.equal(await isCut(question(log).asked), wanted));
  }

  test('a copy that the journal of the pass lane has forgotten is what the map says', async () => {
    const whole = { start: 0, end: 160, runs: [first, second], toldFrom: 200 };
    assert.equal(await isCut(question(whole).asked), false);
    const cut = { start: 0, end: 160, runs: [first], toldFrom: 200 };
    assert.equal(await isCut(question(cut).asked), true);
  });

  test('from a compacted log the last copy may be gone', async () => {
    const log = { start: 0, end: 160, runs: [first] };
    assert.equal(await isCut(question(log, { cleanup: 'compact' }).asked), false);
  });
});

test('what vanished is told with its range, and copied again from there on', async () => {
  const log = { start: 0, end: 125, runs: [first, { ...second, length: 10 }] };
  const { asked, events } = question(log);
  assert.deepEqual(await findCut(asked), { source: 110, strays: [] });
  const ranges = events.map(({ kind, range }) => [kind, range?.site, range?.from, range?.to]);
  assert.deepEqual(ranges, [['target_reset', 'west', 112n, 152n]]);
  // From there on the map forgets what vanished, and is never ahead of what is there.
  asked.map.begin(200, { source: 110, target: 126 });
  const map = asked.context.maps.reader('east->west', 'orders', 0);
  assert.deepEqual([map?.forward(105n).offset, map?.forward(105n).certainty], [107n, 'exact']);
  assert.ok(Number(map?.forward(130n).offset) <= 112);
  assert.equal(map?.frontier?.scannedEnd, 110);
});

test('in the pass lane the cut is where the last copy stands that the map knows', async () => {
  // The last 20 of these are in the journal, or all, or none.
  for (const toldFrom of [92, 112, 0]) {
    const log = { start: 0, end: 125, runs: [first, { ...second, length: 10 }], toldFrom };
    assert.deepEqual(await findCut(question(log).asked), { source: 110, strays: [] });
  }
  // Written behind the cut, and known to the journal: copied again.
  const stray = { sourceOffset: 150, targetOffset: 115, length: 5 };
  const log = { start: 0, end: 125, runs: [first, stray], toldFrom: 102 };
  assert.deepEqual(await findCut(question(log).asked), { source: 100, strays: [stray] });
});

test('a copy that neither the journal nor the map knows: nobody guesses where copying stood', async () => {
  const unknown = { sourceOffset: 150, targetOffset: 155, length: 5 };
  const log = { start: 0, end: 160, runs: [first, unknown], toldFrom: 200 };
  await assert.rejects(findCut(question(log).asked), /^MeshError: .* written in the pass lane/);
});

test('what the source does not have any more either is lost, and told so', async () => {
  const log = { start: 0, end: 125, runs: [first] };
  const { asked, events } = question(log, { sourceStart: 130 });
  assert.equal((await findCut(asked)).source, 100);
  assert.match(events.map(({ text }) => text).join('\n'), /\[100, 130\) at east are lost/);
});

test('with the policy to pause it is told once, however often it is met', async () => {
  const { asked, events } = question({ start: 0, end: 120, runs: [first] }, { policy: 'pause' });
  for (let turn = 0; turn < 3; turn += 1) {
    await assert.rejects(findCut(asked), /^MeshError: east.orders\/0 at west was truncated at 101/);
  }
  assert.equal(events.length, 1);
});
