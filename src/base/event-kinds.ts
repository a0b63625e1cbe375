/** The closed list of what `causeway events` may tell of, each with a sentence for the operator. */
export const eventKinds = {
  source_reset:
    'a source topic was made again, cut, or outrun by its retention: the range, what was done',
  target_reset: 'a remote topic was made again or cut: what was done',
  foreign_writer: 'a remote topic holds records that no agent wrote',
  fence_changed: 'Kafka forgot the producer id of a partition: it has a new one',
  looped_records: 'records that had already been at the target, and were not copied',
  partition_paused: 'a partition stopped for a reason that is told',
  topic_blocked: 'a topic cannot be carried',
  paused: 'somebody paused a flow or a part of it',
  resumed: 'somebody let it go on',
  limited: 'somebody set or took back a limit',
  configs_refused: 'the target refused configs of a remote topic',
  retention_shorter: 'a remote topic keeps records for a shorter time than its source',
  more_partitions: 'a remote topic has more partitions than its source',
  acls_refused: 'the target refused ACLs',
  writer_allowed: 'somebody else may write to a remote topic',
  failover: 'a group was moved after its site was lost',
  switchover: 'a group was moved as planned',
  home: 'the home of a group moved by itself, or is contested',
  late_records: 'what a group failed over past came, or never will',
} as const;

export type EventKind = keyof typeof eventKinds;
