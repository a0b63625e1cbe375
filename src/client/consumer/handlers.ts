/** What an application does with records: kafkajs' handlers, told where a record was read. */
import type { EachBatchPayload, EachMessagePayload, KafkaMessage } from 'kafkajs';
import { MeshError } from '../../base/errors.ts';
import type { Birth } from './birth.ts';

export interface MeshMessage extends EachMessagePayload {
  /** Where it was read. */
  readonly site: string;
  /** Its topic's name at birth: `orders` for `east.orders`. */
  readonly bornAs: string;
  /** The same for a record at every site; undefined: the copy has no stamp. */
  readonly birth: () => Birth | undefined;
}

export interface MeshBatch extends EachBatchPayload {
  readonly site: string;
  readonly bornAs: string;
  readonly birth: (message: KafkaMessage) => Birth | undefined;
}

/** One of the two handlers, as in kafkajs' `consumer.run`. */
export interface RunOptions {
  readonly eachMessage?: (message: MeshMessage) => Promise<void>;
  readonly eachBatch?: (batch: MeshBatch) => Promise<void>;
  /**
   * Of eachBatch: all of a batch counts as handled when the handler returns (default), unless it
   * was told to stop (`isRunning`, `isStale`); then only what it has resolved.
   */
  readonly eachBatchAutoResolve?: boolean;
  /** Partitions handled side by side; 1. */
  readonly partitionsConsumedConcurrently?: number;
  /** Commit at least so often, in milliseconds, within a batch too; at the end of each besides. */
  readonly autoCommitInterval?: number;
  /** Commit after so many records, within a batch too. */
  readonly autoCommitThreshold?: number;
}

/** @throws MeshError usage */
export function checkHandlers({ eachMessage, eachBatch }: RunOptions): void {
  if ((eachMessage === undefined) !== (eachBatch === undefined)) return;
  const found = eachMessage === undefined ? 'neither' : 'both';
  throw new MeshError('usage', `run: found ${found}, wanted eachMessage or eachBatch`);
}
