/**
 * InitProducerId v1, AddPartitionsToTxn v2, EndTxn v2: the versions before KIP-890, with which
 * ending a transaction leaves the epoch as it is.
 */
import type { ApiRequest } from '../api-request.ts';
import type { TopicPartition } from '../cluster.ts';

export interface ProducerIdAnswer {
  readonly errorCode: number;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export interface TransactionHolder {
  readonly transactionalId: string;
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

const transactionTimeoutMs = 60_000;

export function initProducerIdRequest(transactionalId: string): ApiRequest<ProducerIdAnswer> {
  return {
    apiName: 'InitProducerId',
    apiKey: 22,
    apiVersion: 1,
    isFlexible: false,
    encode: (writer) => void writer.nullableString(transactionalId).int32(transactionTimeoutMs),
    decode(reader) {
      reader.int32();
      const errorCode = reader.int16();
      return { errorCode, producerId: reader.int64(), producerEpoch: reader.int16() };
    },
  };
}

export function addPartitionRequest(
  holder: TransactionHolder,
  { topic, partition }: TopicPartition,
): ApiRequest<number> {
  return {
    apiName: 'AddPartitionsToTxn',
    apiKey: 24,
    apiVersion: 2,
    isFlexible: false,
    encode(writer) {
      writer.string(holder.transactionalId).int64(holder.producerId).int16(holder.producerEpoch);
      writer.array([topic], () => {
        writer.string(topic).array([partition], (one) => void writer.int32(one));
      });
    },
    decode(reader) {
      reader.int32();
      const codes = reader.array(() => {
        reader.string();
        return reader.array(() => {
          reader.int32();
          return reader.int16();
        });
      });
      return codes.flat().find((code) => code !== 0) ?? 0;
    },
  };
}

export function abortRequest(holder: TransactionHolder): ApiRequest<number> {
  return {
    apiName: 'EndTxn',
    apiKey: 26,
    apiVersion: 2,
    isFlexible: false,
    encode(writer) {
      writer.string(holder.transactionalId).int64(holder.producerId).int16(holder.producerEpoch);
      writer.boolean(false);
    },
    decode(reader) {
      reader.int32();
      return reader.int16();
    },
  };
}
