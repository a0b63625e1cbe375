/** What ends a tenure after a batch was not taken, said so that an operator knows what to do. */
import { MeshError } from '../base/errors.ts';
import type { ProducedPartition } from '../kafka/cluster.ts';
import type { ProduceVerdict } from './produce-answer.ts';
import type { Pending } from './send-window.ts';
import type { CopyTarget } from './status.ts';

export function produceTrouble(
  verdict: ProduceVerdict,
  { topic, remoteTopic, partition }: CopyTarget,
  { batch }: Pending,
  answer: ProducedPartition | undefined,
): MeshError {
  const first = batch.runs[0]?.sourceOffset;
  const { errorCode, errorMessage = '' } = answer ?? {};
  const details = { topic, remoteTopic, partition, sourceOffset: first, errorCode };
  const what = `writing to ${remoteTopic}/${partition}`;
  if (verdict === 'too_large') {
    const size = `${batch.bytes.length} bytes are more than ${remoteTopic} takes`;
    const text = `${topic}/${partition}@${first ?? '?'}: ${size}`;
    return new MeshError('record_too_large', text, { details });
  }
  const found = `Kafka error ${errorCode ?? 'none'} ${errorMessage}`.trim();
  if (verdict !== 'refused') return new MeshError('fenced', `${what}: ${found}`, { details });
  const code = errorCode === 29 ? 'kafka_authorization' : 'kafka_request';
  return new MeshError(code, `${what}: ${found}`, { details });
}
