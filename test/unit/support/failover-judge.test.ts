import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeGroup, type LogRead } from '../../chaos/failover-judge.ts';
import { Lineage } from '../../support/lineage.ts';

const moment = { group: 'billing', home: 'east', other: 'west', killedAtMs: 10_000 };
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

/** 100 records, each one further at west; known up to 40, committed to 50, read to 60. */
function log(changes: Partial<LogRead> = {}): LogRead {
  const lineage = new Lineage('east', 'orders', 0);
  const at = (shift: number) => numbers(0, 100).map((id) => ({ id, offset: id + shift }));
  lineage.observe('east', { start: 0, end: 100, records: at(0) });
  lineage.observe('west', { start: 0, end: 101, records: at(1) });
  return {
    lineage,
    atHome: numbers(0, 60),
    atOther: numbers(40, 80),
    back: numbers(80, 100),
    commits: [
      { offset: 40, atMs: 6_000 },
      { offset: 50, atMs: 9_000 },
    ],
    position: position(40, 41),
    wayHome: undefined,
    copiedUpTo: 91,
    writtenUpTo: 95,
    ...changes,
  };
}

function position(source: number, target: number, reread = 0): NonNullable<LogRead['position']> {
  return {
    source: { topic: 'orders', partition: 0, offset: String(source) },
    target: { topic: 'east.orders', partition: 0, offset: String(target) },
    certainty: reread > 0 ? 'lower_bound' : 'exact',
    reason: reread > 0 ? 'not_copied_yet' : 'in_run',
    reread: String(reread),
    generation: 1,
  };
}

test('what comes again is told by why it does; nothing is held against it', () => {
  const { counts, breaches } = judgeGroup(moment, [log()], 5);
  assert.deepEqual(breaches, []);
  assert.deepEqual(counts, {
    group: 'billing',
    read: 100,
    skipped: 0,
    again: 20,
    againNotCommitted: 10,
    againNotKnown: 10,
    againByTranslation: 0,
    againStated: 0,
    exactPositions: 1,
    positions: 1,
    lateStated: 5,
    late: 5,
    againAtHome: 0,
  });
});

test('each broken promise is found', () => {
  const broken = (changes: Partial<LogRead>, what: RegExp, lateStated = 0): void => {
    const { breaches } = judgeGroup(moment, [log(changes)], lateStated);
    assert.match(breaches.join('\n'), what);
  };
  broken({ atOther: numbers(45, 79) }, /orders\/0: 1 records from @79 on were never read/);
  broken({ atOther: numbers(30, 80) }, /10 read again, at most 0 were stated/);
  broken({ atOther: [...numbers(40, 80), 79] }, /1 records twice at the survivor/);
  broken({ back: numbers(79, 100) }, /1 records were read again after the way home/);
  broken({ position: position(30, 31) }, /only 30 was known, 40 was committed long ago/);
  broken({ position: position(40, 45) }, /@40 of east became 45, exact in_run: ahead/);
  broken({ position: position(40, 35) }, /became 35, exact in_run: not the record/);
  broken({ position: undefined }, /only 0 was known, 40 was committed long ago/);
  broken({}, /5 records were not there yet, 6 were stated/, 6);
});

test('a topic without any commit is not moved, and read again from its start', () => {
  const changes = { position: undefined, commits: [], atOther: numbers(0, 80) };
  const { counts, breaches } = judgeGroup(moment, [log(changes)], 0);
  assert.deepEqual(breaches, []);
  assert.deepEqual([counts.again, counts.againNotCommitted], [60, 60]);
});

test('nor is one that was committed for the first time in the last moment', () => {
  const commits = [{ offset: 50, atMs: 9_000 }];
  const changes = { position: undefined, commits, atOther: numbers(0, 80) };
  const { counts, breaches } = judgeGroup(moment, [log(changes)], 0);
  assert.deepEqual(breaches, []);
  assert.deepEqual([counts.againNotKnown, counts.againNotCommitted], [50, 10]);
});

test('a lower bound may read again what it has said', () => {
  const changes = { position: position(40, 31, 10), atOther: numbers(30, 80) };
  const { counts, breaches } = judgeGroup(moment, [log(changes)], 0);
  assert.deepEqual(breaches, []);
  assert.deepEqual([counts.againByTranslation, counts.againStated], [10, 10]);
});
