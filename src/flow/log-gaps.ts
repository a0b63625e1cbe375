/**
 * Offsets that a fetch passes over. In a compacted log that is as it should be. In any other there
 * is a batch behind every one: a broker that cannot find a damaged batch goes on with the next, and
 * says nothing. Nothing is passed over here without a word.
 */
import type { MeshError } from '../base/errors.ts';
import { batchAt, completeBatches, isOffset, readOffset } from '../records/batch-header.ts';
import { corrupt } from '../records/corrupt.ts';
import type { FlowContext } from './flow-context.ts';
import type { CopyTarget } from './status.ts';

export interface Gap {
  /** Place of the first batch behind it. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
}

/** What may be copied of a fetch, and what then ends the tenure. */
export interface Gapless {
  readonly records: Buffer;
  readonly trouble?: MeshError;
}

/** By the headers alone; formats v0 and v1 do not say where a batch begins. */
export function firstGap(records: Buffer, position: number): Gap | undefined {
  let next = position;
  for (const { from, to } of completeBatches(records)) {
    // Damage that the stamper names.
    if (to - from < batchAt.records || !isOffset(records, from)) return undefined;
    const offset = readOffset(records, from);
    const isOld = records[from + batchAt.magic] !== 2;
    if (!isOld && offset > next) return { at: from, from: next, to: offset };
    const delta = isOld ? 0 : records.readInt32BE(from + batchAt.lastOffsetDelta);
    next = Math.max(next, offset + delta + 1);
  }
  return undefined;
}

export class LogGaps {
  readonly #id: CopyTarget;
  readonly #context: FlowContext;
  #areExpected = false;

  constructor(id: CopyTarget, context: FlowContext) {
    this.#id = id;
    this.#context = context;
  }

  /** The topic's settings are asked for only when there is a gap. */
  async check(records: Buffer, position: number): Promise<Gapless> {
    const gap = this.#areExpected ? undefined : firstGap(records, position);
    if (gap === undefined) return { records };
    this.#areExpected = await this.#isCompacted();
    if (this.#areExpected) return { records };
    const { settings, onEvent } = this.#context;
    const { topic, partition } = this.#id;
    const text = `the log of ${settings.from} goes on at ${gap.to}, and is not compacted`;
    const place = `${topic}/${partition}@${gap.from}`;
    if (settings.onSourceReset === 'pause') {
      return { records: records.subarray(0, gap.at), trouble: corrupt(place, text) };
    }
    this.#areExpected = true;
    onEvent({
      kind: 'source_reset',
      flow: settings.id,
      topic,
      partition,
      text: `${place}: ${text}; passed over, and so is what else is not there`,
      range: { site: settings.from, from: BigInt(gap.from), to: BigInt(gap.to) },
    });
    return { records };
  }

  async #isCompacted(): Promise<boolean> {
    const { topic } = this.#id;
    const entries = (await this.#context.source.cluster.topicConfigs([topic])).get(topic);
    const policy = entries?.find(({ name }) => name === 'cleanup.policy')?.value;
    return policy?.includes('compact') ?? true;
  }
}
