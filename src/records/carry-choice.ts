/**
 * Whether a batch is packed from the matches that its producer found, or by the codec's library.
 *
 * Carrying is far cheaper where there is little to find (values that are compressed or encrypted
 * already, random text), and dearer than the library's own search where every few bytes repeat
 * something. So the first source batch of a built one decides for all of them.
 */
import type { BatchBuilder } from './batch-builder.ts';
import type { Codec } from './codecs.ts';
import { lz4Format } from './lz4-frame.ts';
import type { BlockFormat } from './match-packer.ts';
import type { MatchedText } from './matched-text.ts';
import { snappyFormat } from './snappy-frame.ts';
import { readMatches, type SourceBatch } from './source-batch.ts';

/** Measured by `npm run bench -- codecs`: from about here on the library is faster. */
const denseBelow = 40;
/** After dense batches so many are not looked at. */
const restBatches = 32;

const formats: Readonly<Partial<Record<Codec, BlockFormat>>> = {
  lz4: lz4Format,
  snappy: snappyFormat,
};

export class CarryChoice {
  #restLeft = 0;

  /**
   * How to pack what comes from that batch, its records and matches having been read into `into`;
   * undefined when the library is to unpack and to pack them.
   * @param present the batch that is being built
   */
  formatFor(
    batch: SourceBatch,
    present: BatchBuilder | undefined,
    into: MatchedText,
  ): BlockFormat | undefined {
    const format = formats[batch.codec];
    if (format === undefined) return undefined;
    if (present?.codec === batch.codec) {
      return present.packer !== undefined && readMatches(batch, into) ? format : undefined;
    }
    if (this.#restLeft > 0) {
      this.#restLeft -= 1;
      return undefined;
    }
    if (!readMatches(batch, into)) return undefined;
    if (into.bytesPerMatch >= denseBelow) return format;
    this.#restLeft = restBatches;
    return undefined;
  }
}
