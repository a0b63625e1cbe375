/**
 * One request of Kafka's protocol: what it is called, how it is written, how its answer is read.
 */
import type { WireReader } from './wire-reader.ts';
import type { WireWriter } from './wire-writer.ts';

export interface ApiRequest<T> {
  readonly apiName: string;
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Versions from a certain one on have compact types and tagged fields, in the headers too. */
  readonly isFlexible: boolean;
  /** Beyond the usual time: what the broker may take before it answers. */
  readonly extraMs?: number;
  /** Instead of the usual time, where another broker can be asked. */
  readonly timeoutMs?: number;
  encode(writer: WireWriter): void;
  /** Must copy what it keeps: the reader's memory is reused. */
  decode(reader: WireReader): T;
}
