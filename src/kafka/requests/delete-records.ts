/** DeleteRecords v1: the start of a log moves up to an offset. */
import type { ApiRequest } from '../api-request.ts';
import type { TopicPartition } from '../cluster.ts';
import { adminTimeoutMs } from './admin.ts';

export function deleteRecordsRequest(
  { topic, partition }: TopicPartition,
  before: bigint,
): ApiRequest<{ readonly errorCode: number }> {
  return {
    apiName: 'DeleteRecords',
    apiKey: 21,
    apiVersion: 1,
    isFlexible: false,
    extraMs: adminTimeoutMs,
    encode(writer) {
      writer.array([topic], () => {
        writer.string(topic).array([partition], (one) => void writer.int32(one).int64(before));
      });
      writer.int32(adminTimeoutMs);
    },
    decode(reader) {
      reader.int32();
      const codes = reader.array(() => {
        reader.string();
        return reader.array(() => {
          reader.int32();
          reader.int64();
          return reader.int16();
        });
      });
      return { errorCode: codes.flat()[0] ?? -1 };
    },
  };
}
