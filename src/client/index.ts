/**
 * The library for applications, `causeway/client`: a kafkajs consumer that lives in a mesh. What is
 * not exported here may change at any time. docs/clients.md tells how to use it.
 */
export { MeshError, type ErrorCode, type ErrorKind } from '../base/errors.ts';
export { MeshConsumer } from './consumer/mesh-consumer.ts';
export type { ConsumerStatus } from './consumer/consumer-status.ts';
export type { Birth } from './consumer/birth.ts';
export type {
  ConsumerHooks,
  ConsumerLog,
  LeaveEvent,
  LossEvent,
  MoveEvent,
  StartBasis,
} from './consumer/events.ts';
export type { MeshBatch, MeshMessage, RunOptions } from './consumer/handlers.ts';
export type { ConsumerSite, MeshConsumerOptions, MoveOnLoss } from './consumer/options.ts';
export type { StartPosition, StartReport } from './consumer/start-report.ts';
