/**
 * Forbids every older holder of a partition to write to it, and keeps that so.
 *
 * A new epoch of the transactional id alone fences nobody: the partition's own log must see it.
 * So an empty transaction on the partition is aborted, which writes a marker with the new epoch;
 * from then on its leader refuses older ones. EndTxn answers before the marker is written: it is
 * waited for.
 */
import { MeshError } from '../base/errors.ts';
import { Backoff } from '../base/retry.ts';
import type { Fence, FenceRequest, TopicPartition } from './cluster.ts';
import { kafkaErrorName } from './codes.ts';
import type { Control } from './control.ts';
import { refusal } from './convert-error.ts';
import type { MarkerWatch } from './marker-watch.ts';
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

export interface FenceParts {
  readonly control: Control;
  /** The leader of the partition, by fresh metadata. */
  readonly leader: (partition: TopicPartition) => Promise<number>;
  readonly markers: MarkerWatch;
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
  const leader = await parts.leader(request);
  const from = request.targetEnd ?? (await endOf(parts, leader, request));
  await emptyTransaction(parts, holder, request, signal);
  const marker = await parts.markers.find(leader, { partition: request, holder, from, signal });
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

async function endOf(
  { control }: FenceParts,
  leader: number,
  partition: TopicPartition,
): Promise<number> {
  const request = listOffsetsRequest([partition], 'latest', false);
  const [listed] = await control.toBroker(leader, request);
  if (listed?.errorCode === 0) return Number(listed.offset);
  const what = `end of ${partition.topic}/${partition.partition}`;
  throw refusal(control.name, what, listed?.errorCode ?? -1);
}
