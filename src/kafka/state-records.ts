/**
 * What a state topic holds, and how it is followed; `state-topic.ts` implements both over raw
 * batches.
 */
export interface StateRecord {
  readonly key: Buffer;
  /** null: a tombstone. */
  readonly value: Buffer | null;
}

export interface FollowedRecord extends StateRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestampMs: number;
}

export interface StateLog extends AsyncDisposable {
  readonly topic: string;
  /** Resolves when all of them are acknowledged by all in-sync replicas; in the order given. */
  append(records: readonly StateRecord[]): Promise<void>;
  /**
   * Reads from the start of the log and on for ever, in order: `onRecords` per chunk, `onSynced`
   * once the end, as it was when following began, has been delivered. Reconnects by itself;
   * resolves on abort.
   */
  follow(
    listener: {
      readonly onRecords: (records: readonly FollowedRecord[]) => void;
      readonly onSynced: () => void;
    },
    signal: AbortSignal,
  ): Promise<void>;
}
