/**
 * Records of every kind that a copy could get wrong, the same for the same seed: what a foreign
 * producer is to do, and what must be in each partition afterwards.
 *
 * Sizes lie about where varints take a byte more; timestamps are 0, -1, years old and ahead;
 * headers are null, empty, twice the same, and ours, forged. Batches hold one record and thousands;
 * transactions of two producers cross each other, committed and aborted.
 */
import type { PlainHeader, PlainRecord } from '../../src/records/build-batch.ts';
import type { Codec } from '../../src/records/codecs.ts';
import { originKeyBytes } from '../../src/records/origin.ts';
import type {
  ClientFamily,
  ForeignProducer,
  PlacedRecord,
  ProducerSettings,
} from './foreign-producer.ts';
import { Seeded } from './seeded.ts';

export interface LoadOptions {
  readonly seed: number;
  /** Records in all, those that are aborted too. */
  readonly records: number;
  readonly nowMs: number;
  readonly family: ClientFamily;
  readonly codec: Codec;
}

type Order =
  | {
      readonly to: 'open';
      readonly id: number;
      readonly settings: ProducerSettings;
      readonly isTransactional: boolean;
    }
  | { readonly to: 'use'; readonly id: number }
  | { readonly to: 'send'; readonly records: readonly PlacedRecord[] }
  | { readonly to: 'flush' | 'begin' | 'commit' | 'abort' };

export interface AwkwardLoad {
  readonly orders: readonly Order[];
  /** What is committed in the end, by partition. */
  readonly expected: readonly (readonly PlainRecord[])[];
}

export const awkwardPartitions = 4;
const roundCount = 5;
const dayMs = 24 * 60 * 60 * 1000;
/** With the 61 bytes of the batch, and 11 of the record, what a topic takes by default. */
const valueBytesMax = 1_048_588 - 61 - 11;
const sizes = [0, 1, 2, 8, 30, 62, 63, 64, 65, 127, 128, 300, 1_000, 8_190, 8_191, 8_192, 8_193];

const producers = { single: 1, small: 2, large: 3, one: 4, other: 5 } as const;

/** @throws Error when the client does not get a record acknowledged */
export async function perform(
  load: AwkwardLoad,
  producer: ForeignProducer,
  topic: string,
): Promise<void> {
  for (const order of load.orders) {
    if (order.to === 'use') await producer.use(order.id, topic);
    else if (order.to === 'send') await producer.send(order.records);
    else if (order.to !== 'open') await producer[order.to]();
    else {
      const name = order.isTransactional ? { 'transactional.id': `${topic}-${order.id}` } : {};
      await producer.open(order.id, { ...order.settings, ...name });
    }
  }
}

export function awkwardLoad(options: LoadOptions): AwkwardLoad {
  const load = new LoadBuilder(options);
  const { records } = options;
  for (let round = 0; round < roundCount; round += 1) {
    const share = (part: number): number => Math.ceil((records * part) / roundCount);
    load.plain(producers.small, share(0.42));
    load.plain(producers.single, share(0.02));
    load.transactions(share(0.05));
    load.huge(Math.max(1, Math.floor(records / 25_000)));
    load.plain(producers.large, share(0.51));
  }
  return load;
}

class LoadBuilder implements AwkwardLoad {
  readonly orders: Order[] = [];
  readonly expected: PlainRecord[][] = Array.from({ length: awkwardPartitions }, () => []);
  readonly #options: LoadOptions;
  readonly #seeded: Seeded;
  #count = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#seeded = new Seeded(options.seed);
    for (const id of Object.values(producers)) {
      const isTransactional = id === producers.one || id === producers.other;
      this.orders.push({ to: 'open', id, settings: this.#settings(id), isTransactional });
    }
  }

  plain(id: number, count: number): void {
    this.orders.push({ to: 'use', id });
    this.#send(count);
    this.orders.push({ to: 'flush' });
  }

  /** Single records up to the largest that a topic takes by default. */
  huge(count: number): void {
    this.orders.push({ to: 'use', id: producers.large });
    const max = this.#options.codec === 'none' ? valueBytesMax : valueBytesMax - 10_000;
    for (let index = 0; index < count; index += 1) {
      const isLargest = index === 0;
      const size = isLargest ? max : this.#seeded.int(100_000, max);
      const value = this.#seeded.chance(0.5) ? this.#seeded.bytes(size) : this.#seeded.text(size);
      const rest = isLargest ? { key: null, headers: [] } : this.#rest();
      this.#add([{ ...rest, ...this.#place(), value }]);
    }
    this.orders.push({ to: 'flush' });
  }

  /** Two producers by turns, so that their transactions cross; flushed, so that order is known. */
  transactions(count: number): void {
    const { one, other } = producers;
    for (let left = count; left > 0;) {
      const turns = [one, other, one, producers.small, other].map((id) => {
        const size = Math.min(left, this.#seeded.int(1, 60));
        left -= size;
        return { id, records: Array.from({ length: size }, () => this.#record()) };
      });
      const isKept = new Map<number, boolean>(
        [one, other].map((id) => [id, this.#seeded.chance(0.5)]),
      );
      for (const id of [one, other]) this.orders.push({ to: 'use', id }, { to: 'begin' });
      for (const { id, records } of turns) {
        this.orders.push({ to: 'use', id }, { to: 'send', records }, { to: 'flush' });
        if (isKept.get(id) ?? true) this.#expect(records);
      }
      for (const id of this.#seeded.chance(0.5) ? [one, other] : [other, one]) {
        this.orders.push({ to: 'use', id }, { to: isKept.get(id) === true ? 'commit' : 'abort' });
      }
    }
  }

  #settings(id: number): ProducerSettings {
    const { codec, family } = this.#options;
    const shared = { 'compression.type': codec, acks: 'all' };
    switch (id) {
      case producers.single:
        return family === 'java'
          ? { ...shared, 'batch.size': 0, 'linger.ms': 0 }
          : { ...shared, 'batch.num.messages': 1, 'linger.ms': 0 };
      case producers.small:
        return { ...shared, 'batch.size': 16_384, 'linger.ms': 2, 'enable.idempotence': 'false' };
      case producers.large:
        return { ...shared, 'batch.size': 900_000, 'linger.ms': 50, 'enable.idempotence': 'true' };
      default:
        return { ...shared, 'batch.size': 4_000, 'linger.ms': 1 };
    }
  }

  #send(count: number): void {
    for (let left = count; left > 0; left -= 1_000) {
      this.#add(Array.from({ length: Math.min(left, 1_000) }, () => this.#record()));
    }
  }

  #add(records: readonly PlacedRecord[]): void {
    this.orders.push({ to: 'send', records });
    this.#expect(records);
  }

  #expect(records: readonly PlacedRecord[]): void {
    for (const record of records) this.expected[record.partition]!.push(record);
  }

  #record(): PlacedRecord {
    const seeded = this.#seeded;
    // Many tiny ones: what a record costs beside its bytes shows most there.
    const isTiny = seeded.chance(0.4);
    const value = isTiny ? seeded.bytes(seeded.int(0, 3)) : this.#value();
    return isTiny
      ? { ...this.#place(), key: null, value, headers: [] }
      : { ...this.#place(), ...this.#rest(), value };
  }

  #place(): { partition: number; timestampMs: number } {
    this.#count += 1;
    return {
      partition: this.#seeded.int(0, awkwardPartitions - 1),
      timestampMs: this.#timestamp(),
    };
  }

  #rest(): { key: Buffer | null; headers: readonly PlainHeader[] } {
    return { key: this.#key(), headers: this.#headers() };
  }

  #timestamp(): number {
    const { nowMs, family } = this.#options;
    const seeded = this.#seeded;
    const drawn = seeded.next();
    if (drawn < 0.75) return nowMs - seeded.int(0, 60_000);
    if (drawn < 0.8) return nowMs - 2 * dayMs - seeded.int(0, 1_000);
    if (drawn < 0.85) return nowMs - 730 * dayMs + seeded.int(0, 1_000);
    if (drawn < 0.9) return nowMs + seeded.int(1, 3_500_000);
    // To librdkafka 0 means now, and Java refuses what is below 0.
    if (drawn < 0.95) return family === 'java' ? 0 : -1;
    if (drawn < 0.9995) return seeded.int(1, 1_000_000_000_000);
    return seeded.chance(0.5) ? nowMs + 365 * dayMs : 2 ** 52 + seeded.int(0, 1_000);
  }

  #key(): Buffer | null {
    const seeded = this.#seeded;
    const drawn = seeded.next();
    if (drawn < 0.1) return null;
    if (drawn < 0.2) return Buffer.alloc(0);
    if (drawn < 0.3) return Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0x00, this.#count & 0xff]);
    if (drawn < 0.7) return Buffer.from(`key ${seeded.int(0, 500)}`);
    return seeded.bytes(seeded.pick(sizes.slice(0, -5)));
  }

  #value(): Buffer | null {
    const seeded = this.#seeded;
    const drawn = seeded.next();
    if (drawn < 0.1) return null;
    if (drawn < 0.15) return Buffer.alloc(0);
    const size = drawn < 0.97 ? seeded.pick(sizes.slice(0, -5)) : seeded.pick(sizes);
    return seeded.chance(0.5) ? seeded.bytes(size) : seeded.text(size);
  }

  #headers(): PlainHeader[] {
    const seeded = this.#seeded;
    const drawn = seeded.next();
    if (drawn < 0.4) return [];
    if (drawn < 0.6) return Array.from({ length: seeded.int(1, 4) }, () => this.#header());
    if (drawn < 0.8) {
      const twice = this.#header();
      return [twice, this.#header(), { ...twice, value: null }, twice];
    }
    if (drawn < 0.99)
      return [this.#header(), this.#forged(), this.#header()].slice(seeded.int(0, 1));
    return Array.from({ length: seeded.pick([62, 63, 64, 65, 130]) }, () => this.#header());
  }

  #header(): PlainHeader {
    const seeded = this.#seeded;
    const key = seeded.pick(['', 'h', 'trace-id', 'größe', '数量', 'x'.repeat(64)]);
    const value = seeded.pick([null, Buffer.alloc(0), seeded.bytes(seeded.pick([1, 7, 63, 64]))]);
    return { key: Buffer.from(key), value };
  }

  /** A header of our name that an application wrote: copied from elsewhere, or nonsense. */
  #forged(): PlainHeader {
    const forged = ['east/other/0@17', 'west/other/3@9#2', 'east/', '\xff', ''].map((text) =>
      Buffer.from(text, 'latin1'),
    );
    return { key: originKeyBytes, value: this.#seeded.pick([null, ...forged]) };
  }
}
