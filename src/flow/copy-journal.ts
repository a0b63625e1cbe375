/**
 * What must be known of a copied partition before the first record is written to it, and cannot
 * be read from the target: our producer ids there, where copying began, which lives of the two
 * topics belong together. Kept in `__causeway-offset-maps` beside the map segments, under keys of
 * its own.
 *
 * Invariant: a producer id is stored, acknowledged, before anything is written with it. So a
 * stamp in a batch of another producer id is never ours.
 */
import { MeshError } from '../base/errors.ts';
import type { StateRecord } from '../kafka/state-records.ts';

export interface CopyRecord {
  /** Every producer id that ever wrote to the remote partition for us; few, mostly one. */
  readonly producerIds: readonly bigint[];
  readonly generation: number;
  /** First source offset of this generation that is to be copied. */
  readonly startOffset: bigint;
  readonly sourceTopicId: string;
  readonly targetTopicId: string;
  /** What lies before `startOffset` was copied in an earlier generation, and is still there. */
  readonly isContinued?: boolean;
  /** Partitions of the source topic at the first look: those beyond were added later. */
  readonly partitionsAtStart?: number;
}

export interface CopyKey {
  readonly flow: string;
  readonly topic: string;
  readonly partition: number;
}

const keyPrefix = 'copy/1/';

function topicText({ flow, topic }: Omit<CopyKey, 'partition'>): string {
  return `${flow}/${topic}`;
}

function keyText(key: CopyKey): string {
  return `${keyPrefix}${topicText(key)}/${key.partition}`;
}

function parseValue(key: string, value: Buffer): CopyRecord {
  try {
    // The fields are checked one by one below: this only says that there may be any.
    const fields = JSON.parse(value.toString('utf8')) as Partial<Record<keyof CopyRecord, unknown>>;
    const { producerIds, generation, startOffset, sourceTopicId, targetTopicId } = fields;
    const { partitionsAtStart } = fields;
    if (!Array.isArray(producerIds) || !Number.isSafeInteger(generation)) throw new Error('shape');
    if (typeof sourceTopicId !== 'string' || typeof targetTopicId !== 'string') {
      throw new Error('topic ids');
    }
    return {
      producerIds: producerIds.map((id) => BigInt(String(id))),
      generation: Number(generation),
      startOffset: BigInt(String(startOffset)),
      sourceTopicId,
      targetTopicId,
      ...(fields.isContinued === true ? { isContinued: true } : {}),
      ...(partitionsAtStart === undefined ? {} : { partitionsAtStart: Number(partitionsAtStart) }),
    };
  } catch (cause) {
    throw new MeshError('state_corrupt', `record ${key}: not a copy record of version 1`, {
      cause,
      details: { key },
    });
  }
}

export class CopyJournal {
  /** By flow and topic, then by partition. */
  readonly #records = new Map<string, Map<number, CopyRecord>>();
  readonly #append: (records: readonly StateRecord[]) => Promise<void>;

  constructor(append: (records: readonly StateRecord[]) => Promise<void>) {
    this.#append = append;
  }

  get(key: CopyKey): CopyRecord | undefined {
    return this.#records.get(topicText(key))?.get(key.partition);
  }

  /** Of all partitions of the topic that there are any of. */
  ofTopic(key: Omit<CopyKey, 'partition'>): Iterable<CopyRecord> {
    return this.#records.get(topicText(key))?.values() ?? [];
  }

  /** Resolves when stored: only then may what it allows be done. */
  async put(key: CopyKey, record: CopyRecord): Promise<void> {
    const text = JSON.stringify(record, (_name, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    );
    await this.#append([{ key: Buffer.from(keyText(key)), value: Buffer.from(text) }]);
    this.#set(topicText(key), key.partition, record);
  }

  /** Takes in a record of the state topic; false when it is not of this kind. */
  load(record: StateRecord): boolean {
    const key = record.key.toString('utf8');
    if (!key.startsWith(keyPrefix)) return false;
    const at = key.lastIndexOf('/');
    const [topic, partition] = [key.slice(keyPrefix.length, at), Number(key.slice(at + 1))];
    if (record.value === null) this.#records.get(topic)?.delete(partition);
    else this.#set(topic, partition, parseValue(key, record.value));
    return true;
  }

  #set(topic: string, partition: number, record: CopyRecord): void {
    const records = this.#records.get(topic) ?? new Map<number, CopyRecord>();
    this.#records.set(topic, records.set(partition, record));
  }
}
