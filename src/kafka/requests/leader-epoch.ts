/**
 * OffsetForLeaderEpoch v3, as consumers ask it (KIP-320): tells a log that was truncated and
 * written again from one that only grew, although their offsets look alike.
 */
import type { ApiRequest } from '../api-request.ts';
import type { EpochEnd, EpochQuestion } from '../cluster.ts';
import { byTopic } from './by-topic.ts';

const consumer = -1;

export function epochEndsRequest(
  questions: readonly EpochQuestion[],
): ApiRequest<readonly EpochEnd[]> {
  return {
    apiName: 'OffsetForLeaderEpoch',
    apiKey: 23,
    apiVersion: 3,
    isFlexible: false,
    encode(writer) {
      writer.int32(consumer).array(byTopic(questions), ([topic, items]) => {
        writer.string(topic).array(items, ({ partition, leaderEpoch, epoch }) => {
          writer.int32(partition).int32(leaderEpoch).int32(epoch);
        });
      });
    },
    decode(reader) {
      reader.int32();
      const topics = reader.array(() => {
        const topic = reader.string();
        return reader.array((): EpochEnd => {
          const errorCode = reader.int16();
          const partition = reader.int32();
          return { topic, partition, errorCode, epoch: reader.int32(), endOffset: reader.int64() };
        });
      });
      return topics.flat();
    },
  };
}
