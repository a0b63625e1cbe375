/** For sites that die and return: less to recover, and let in again sooner than after 9 s. */
export const quickReturn = {
  // With 2 s a stall of the machine fences brokers that run.
  'broker.session.timeout.ms': '5000',
  'broker.heartbeat.interval.ms': '500',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.num.partitions': '4',
  // Where a log begins is written down once a minute else, and what was deleted comes back with a
  // broker that was killed before that.
  'log.flush.start.offset.checkpoint.interval.ms': '1000',
} as const;
