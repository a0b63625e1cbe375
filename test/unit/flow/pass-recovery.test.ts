/**
 * The pass lane against a log that is not: batches land, or do not, acknowledgements and what is
 * stored come late or never, holders are replaced at any instant and their last words arrive
 * afterwards. Whatever happens in whatever order, the next holder finds the very record to go on
 * with.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PassJournal } from '../../../src/flow/pass-journal.ts';
import { PassLane } from '../../../src/flow/pass-lane.ts';
import { SendWindow, type Pending } from '../../../src/flow/send-window.ts';
import { findCopies, type CopyFilter } from '../../../src/flow/tail-found.ts';
import type { StateRecord } from '../../../src/kafka/state-records.ts';
import { attributeBits, batchAt } from '../../../src/records/batch-header.ts';
import { encodeBatch } from '../../../src/records/build-batch.ts';
import type { StampedBatch, StampedRun } from '../../../src/records/stamped-batch.ts';
import { testDeps } from '../../support/deps.ts';

const copy = { flow: 'east->west', topic: 'orders', partition: 0 };
const filter: CopyFilter = { ...copy, site: 'east', generation: 1, producerIds: new Set([7n]) };

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('push' as const), holes: fc.nat({ max: 2 }) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('land' as const) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('answer' as const) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('store' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('storeMap' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('foreign' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('late' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('truncate' as const), count: fc.nat({ max: 3 }) }),
  },
);

/** The map's stored end, which goes with the journal's tombstones, as `MapStore` stores them. */
const mapKey = Buffer.from('map');

interface MapEnd {
  readonly source: number;
  readonly target: number;
}

/** The target's partition and the state topic, as Kafka keeps them. */
class Kafka {
  readonly batches: { readonly bytes: Buffer; readonly sources: readonly number[] }[] = [];
  readonly state: StateRecord[] = [];
  /** Of every holder that there was: all of them follow the state topic. */
  readonly journals: PassJournal[] = [];
  end = 0;

  store(records: readonly StateRecord[]): void {
    this.state.push(...records);
    for (const record of records) {
      if (record.key.equals(mapKey)) continue;
      for (const journal of this.journals) journal.load(record);
    }
  }

  /** The last batches are gone, as after an unclean election; none that a stored map speaks of. */
  truncate(count: number, keptBelow: number): void {
    for (let left = count; left > 0; left -= 1) {
      const last = this.batches.at(-1)?.bytes;
      const base = last === undefined ? -1 : Number(last.readBigInt64BE(batchAt.baseOffset));
      if (base < keptBelow) return;
      this.batches.pop();
      this.end = base;
    }
  }

  append(bytes: Buffer, sources: readonly number[]): number {
    const base = this.end;
    const own = Buffer.from(bytes);
    own.writeBigInt64BE(BigInt(base), batchAt.baseOffset);
    this.batches.push({ bytes: own, sources });
    this.end += own.readInt32BE(batchAt.lastOffsetDelta) + 1;
    return base;
  }

  /** What a fenced holder stores late is no further than what was stored before. */
  get mapEnd(): MapEnd {
    const ends = this.state.filter(({ key }) => key.equals(mapKey)).map(({ value }) => value!);
    return ends.reduce<MapEnd>(
      (found, value) => {
        const [source, target] = [value.readInt32BE(0), value.readInt32BE(4)];
        return source < found.source ? found : { source, target };
      },
      { source: 0, target: 0 },
    );
  }

  get log(): Buffer {
    return Buffer.concat(this.batches.map(({ bytes }) => bytes));
  }

  /** Source offsets as they stand in the log: the truth. */
  get sources(): number[] {
    return this.batches.flatMap(({ sources }) => sources);
  }
}

interface Append {
  readonly records: readonly StateRecord[];
  readonly done: () => void;
}

class Holder {
  readonly position: number;
  readonly journal: PassJournal;
  readonly window: SendWindow;
  readonly lane: PassLane;
  readonly trouble: unknown[] = [];
  readonly #kafka: Kafka;
  readonly #appends: Append[] = [];
  readonly #landed: Pending[] = [];
  readonly #batches = new Map<StampedBatch, readonly number[]>();
  readonly #sent: Pending[] = [];
  #mapEnd: MapEnd;
  #next: number;
  isFenced = false;

  constructor(kafka: Kafka, producerEpoch: number) {
    this.#kafka = kafka;
    const producer = { producerId: 7n, producerEpoch };
    // The fence's marker stands in the log before the tail is read.
    const control = attributeBits.control | attributeBits.transactional;
    kafka.append(encodeBatch([], { attributes: control, producerId: 7n, producerEpoch }), []);
    this.journal = new PassJournal(
      (records) =>
        new Promise<void>((done) => {
          this.#appends.push({ records, done });
        }),
      testDeps().clock,
    );
    for (const record of kafka.state) {
      if (!record.key.equals(mapKey)) this.journal.load(record);
    }
    kafka.journals.push(this.journal);
    const from = kafka.mapEnd;
    const range = { from: from.target, to: kafka.end };
    const found = findCopies(kafka.log, range, filter, this.journal);
    assert.equal(found.isLost, false, 'what the last copy is can be told');
    this.position = Math.max(
      from.source,
      ...found.runs.map((run) => run.sourceOffset + run.length),
    );
    const target = found.runs.map((run) => run.targetOffset + run.length);
    this.#mapEnd = { source: this.position, target: Math.max(from.target, ...target) };
    this.#next = this.position;
    this.window = new SendWindow(producer, () => false);
    this.lane = new PassLane({
      journal: this.journal,
      copy,
      generation: 1,
      producer,
      window: this.window,
      onReleased: () => undefined,
      onTrouble: (trouble) => this.trouble.push(trouble),
    });
  }

  /** A batch with a hole in front of it and one inside, if so told. */
  push(holes: number): void {
    const first = this.#next + (holes > 0 ? 1 : 0);
    const sources = holes > 1 ? [first, first + 1, first + 4] : [first, first + 1];
    const runs: StampedRun[] = [{ sourceOffset: first, index: 0, length: 2 }];
    if (holes > 1) runs.push({ sourceOffset: first + 4, index: 2, length: 1 });
    const records = sources.map((source) => ({
      key: Buffer.from(`${source}`),
      value: null,
      timestampMs: 1,
    }));
    this.#next = sources.at(-1)! + 1;
    const batch: StampedBatch = {
      bytes: encodeBatch(records),
      recordCount: sources.length,
      runs,
      nextSourceOffset: this.#next,
      maxTimestamp: 1,
      release: () => undefined,
    };
    this.#batches.set(batch, sources);
    this.lane.push(batch);
  }

  /** The next batch that may be sent reaches the log, unless this holder has been fenced. */
  land(): void {
    const pending = this.window.next();
    if (pending === undefined) return;
    this.#sent.push(pending);
    if (this.isFenced) return;
    this.#kafka.append(pending.batch.bytes, this.#batches.get(pending.batch) ?? []);
    this.#landed.push(pending);
  }

  answer(): void {
    const pending = this.#landed.shift();
    if (pending === undefined) return;
    this.window.acknowledged(pending);
    this.lane.acknowledged(pending.batch);
    const sources = this.#batches.get(pending.batch) ?? [];
    const at = this.#kafka.batches.findIndex((one) => one.sources === sources);
    const target = this.#kafka.batches
      .slice(0, at + 1)
      .reduce((sum, { bytes }) => sum + bytes.readInt32BE(batchAt.lastOffsetDelta) + 1, 0);
    this.#mapEnd = { source: pending.batch.nextSourceOffset, target };
  }

  /** The oldest append of the journal is stored. */
  async store(): Promise<void> {
    const append = this.#appends.shift();
    if (append === undefined) return;
    this.#kafka.store(append.records);
    append.done();
    for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  }

  storeMap(): void {
    const value = Buffer.alloc(8);
    value.writeInt32BE(this.#mapEnd.source, 0);
    value.writeInt32BE(this.#mapEnd.target, 4);
    const retired = this.journal.takeRetired();
    this.#kafka.store([{ key: mapKey, value }, ...retired]);
    this.journal.forget(retired);
  }
}

describe('the pass lane', () => {
  test('after any end of a holder the next one goes on with the very next record', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
        const kafka = new Kafka();
        let epoch = 0;
        let holder = new Holder(kafka, epoch);
        let former: Holder | undefined;
        for (const one of steps) {
          if (one.kind === 'push') holder.push(one.holes);
          if (one.kind === 'land') holder.land();
          if (one.kind === 'answer') holder.answer();
          if (one.kind === 'store') await holder.store();
          if (one.kind === 'storeMap') holder.storeMap();
          if (one.kind === 'late') {
            former?.answer();
            former?.storeMap();
            await former?.store();
            former?.land();
          }
          if (one.kind === 'foreign') {
            const records = [{ key: null, value: Buffer.from('foreign'), timestampMs: 1 }];
            kafka.append(encodeBatch(records, { producerId: 99n, producerEpoch: 0 }), []);
          }
          if (one.kind !== 'replace' && one.kind !== 'truncate') continue;
          if (one.kind === 'truncate') kafka.truncate(one.count, kafka.mapEnd.target);
          holder.isFenced = true;
          epoch += 1;
          const next = new Holder(kafka, epoch);
          const last = kafka.sources.at(-1);
          assert.equal(next.position, last === undefined ? 0 : last + 1);
          // One that was only fenced has last words; after a truncation it is dead.
          former = one.kind === 'replace' ? holder : undefined;
          holder = next;
        }
        const { sources } = kafka;
        assert.deepEqual(
          sources,
          [...new Set(sources)].sort((a, b) => a - b),
          'twice, or disordered',
        );
        assert.deepEqual(holder.trouble, []);
      }),
      { numRuns: 1_000 },
    );
  });
});
