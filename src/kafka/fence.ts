/**
 * Forbids every older holder of a partition to write to it, and keeps that so.
 *
 * A new epoch of the transactional id alone fences nobody: the partition's own log must see it.
 * So an empty transaction on the partition is aborted, which writes a marker with the new epoch;
 * from then on its leader refuses older ones. EndTxn answers before the marker is written: it is
 * waited for.
 */
import { throwIfAborted } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import { attributeBits, batchAt, completeBatches, readOffset } from '../records/batch-header.ts';
import type { Fence, FenceRequest, TopicPartition } from './cluster.ts';
import type { BrokerLink } from './cluster.ts';
import { kafkaErrorName } from './codes.ts';
import type { Control } from './control.ts';
import { refusal } from './convert-error.ts';
import {
  abortRequest,
  addPartitionRequest,
  initProducerIdRequest,
  type TransactionHolder,
} from './requests/transactions.ts';
import { listOffsetsRequest } from './requests/metadata.ts';

const concurrentTransactions = 51;
const epochCodes: ReadonlySet<number> = new Set([47, 49, 90]);
const attemptsMax = 30;
const markerTimeoutMs = 20_000;
const windowBytes = 1024 * 1024;

export interface FenceParts {
  readonly control: Control;
  /** The leader of the partition, by fresh metadata. */
  readonly leader: (partition: TopicPartition) => Promise<number>;
  /** A connection for reading the log; shared among fences. */
  readonly link: (brokerId: number) => Promise<BrokerLink>;
}

/** @throws MeshError fenced when another agent fences the same partition at the same time */
export async function fence(
  parts: FenceParts,
  request: FenceRequest,
  signal?: AbortSignal,
): Promise<Fence> {
  const { transactionalId } = request;
  const { control } = parts;
  const { producerId, producerEpoch } = await settled(parts, transactionalId, signal, () =>
    control.toCoordinator(
      'transaction',
      transactionalId,
      initProducerIdRequest(transactionalId),
      (answer) => answer.errorCode,
      signal,
    ),
  );
  await request.onProducerId(producerId, producerEpoch);
  const holder = { transactionalId, producerId, producerEpoch };
  const from = await endOf(parts, request);
  await emptyTransaction(parts, holder, request, signal);
  const marker = await findMarker(parts, request, holder, from, signal);
  return { producerId, producerEpoch, ...marker };
}

/** Begins and aborts a transaction on one partition; the epoch stays. */
export async function emptyTransaction(
  parts: Pick<FenceParts, 'control'>,
  holder: TransactionHolder,
  partition: TopicPartition,
  signal?: AbortSignal,
): Promise<void> {
  const { control } = parts;
  const { transactionalId } = holder;
  for (const request of [addPartitionRequest(holder, partition), abortRequest(holder)]) {
    await settled(parts, transactionalId, signal, async () => {
      const same = (code: number): number => code;
      const errorCode = await control.toCoordinator(
        'transaction',
        transactionalId,
        request,
        same,
        signal,
      );
      return { errorCode };
    });
  }
}

/** Repeats while markers of an earlier transaction are still being written. */
async function settled<T extends { readonly errorCode: number }>(
  { control }: Pick<FenceParts, 'control'>,
  transactionalId: string,
  signal: AbortSignal | undefined,
  ask: () => Promise<T>,
): Promise<T> {
  const backoff = new Backoff({ delayMsMin: 10, delayMsMax: 500 }, control.deps.clock);
  for (;;) {
    const answer = await ask();
    if (answer.errorCode === 0) return answer;
    const what = `fence ${transactionalId}`;
    if (epochCodes.has(answer.errorCode)) {
      const text = `${what}: another agent holds it now (${kafkaErrorName(answer.errorCode)})`;
      throw new MeshError('fenced', text, { details: { transactionalId } });
    }
    const isAgain = answer.errorCode === concurrentTransactions && backoff.attempts < attemptsMax;
    if (!isAgain) throw refusal(control.name, what, answer.errorCode);
    await backoff.wait(signal);
  }
}

async function endOf(parts: FenceParts, partition: TopicPartition): Promise<number> {
  const { control } = parts;
  const leader = await parts.leader(partition);
  const request = listOffsetsRequest([partition], 'latest', false);
  const [listed] = await control.toBroker(leader, request);
  if (listed?.errorCode === 0) return Number(listed.offset);
  const what = `end of ${partition.topic}/${partition.partition}`;
  throw refusal(control.name, what, listed?.errorCode ?? -1);
}

async function findMarker(
  parts: FenceParts,
  partition: TopicPartition,
  holder: TransactionHolder,
  from: number,
  signal: AbortSignal | undefined,
): Promise<Pick<Fence, 'markerOffset' | 'leaderEpoch'>> {
  const { clock } = parts.control.deps;
  const deadlineMs = clock.monotonicMs() + markerTimeoutMs;
  let offset = from;
  while (clock.monotonicMs() < deadlineMs) {
    if (signal !== undefined) throwIfAborted(signal);
    const read = await readOnce(parts, partition, holder, offset);
    if (read.marker !== undefined) return read.marker;
    offset = read.next;
  }
  const where = `${partition.topic}/${partition.partition} at ${parts.control.name}`;
  throw new MeshError('kafka_timeout', `${where}: our marker did not appear in the log`);
}

interface MarkerScan {
  readonly marker: Pick<Fence, 'markerOffset' | 'leaderEpoch'> | undefined;
  readonly next: number;
}

async function readOnce(
  parts: FenceParts,
  { topic, partition }: TopicPartition,
  holder: TransactionHolder,
  offset: number,
): Promise<MarkerScan> {
  const link = await parts.link(await parts.leader({ topic, partition }));
  const response = await link.fetch({
    partitions: [{ topic, partition, offset: BigInt(offset), bytesMax: windowBytes }],
    maxWaitMs: 50,
    minBytes: 1,
    maxBytes: windowBytes,
    isolation: 'read_uncommitted',
  });
  try {
    const found = response.partitions[0];
    if (found?.errorCode !== 0) {
      const what = `reading ${topic}/${partition}`;
      throw refusal(parts.control.name, what, found?.errorCode ?? -1);
    }
    return scanForMarker(found.records, holder, offset);
  } finally {
    response.release();
  }
}

function scanForMarker(records: Buffer, holder: TransactionHolder, from: number): MarkerScan {
  let next = from;
  for (const { from: at } of completeBatches(records)) {
    if (records[at + batchAt.magic] !== 2) continue;
    const baseOffset = readOffset(records, at + batchAt.baseOffset);
    const isControl = (records.readInt16BE(at + batchAt.attributes) & attributeBits.control) !== 0;
    const isOurs =
      records.readBigInt64BE(at + batchAt.producerId) === holder.producerId &&
      records.readInt16BE(at + batchAt.producerEpoch) === holder.producerEpoch;
    if (isControl && isOurs && baseOffset >= from) {
      const leaderEpoch = records.readInt32BE(at + batchAt.leaderEpoch);
      return { marker: { markerOffset: BigInt(baseOffset), leaderEpoch }, next };
    }
    next = Math.max(next, baseOffset + records.readInt32BE(at + batchAt.lastOffsetDelta) + 1);
  }
  return { marker: undefined, next };
}
