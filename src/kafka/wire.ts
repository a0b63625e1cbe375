/**
 * One connection to a broker, taken over from kafkajs after it has authenticated: requests are
 * pipelined, answers come in order. Small answers are read into one buffer for ever reused and
 * gathered in pooled ones, large ones straight into those; what is sent is not copied.
 *
 * It lives until it fails: then everything in flight rejects with `kafka_unavailable`.
 */
import type { Socket } from 'node:net';
import type { BufferPool, PooledBuffer } from '../base/buffer-pool.ts';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';
import type { ApiRequest } from './api-request.ts';
import { WireReader } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** A body in pooled memory: to be released once it has been read. */
export interface WireAnswer {
  readonly body: Buffer;
  release(): void;
}

interface Waiting {
  readonly correlationId: number;
  readonly what: string;
  readonly deadlineMs: number;
  resolve(answer: WireAnswer): void;
  reject(error: MeshError): void;
}

export interface WireOptions {
  readonly cluster: string;
  /** `host:port` */
  readonly broker: string;
  readonly clientId: string;
  readonly requestTimeoutMs: number;
  readonly pool: BufferPool;
  readonly clock: Clock;
  /** Highest version of each API that the broker speaks. */
  readonly versions: ReadonlyMap<number, number>;
}

/** So much of an answer that is still to come is read straight to its place. */
const roomBytesMin = 64 * 1024;
const frameBytesMax = 512 * 1024 * 1024;
const deadlineCheckMs = 500;

export class Wire implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #options: WireOptions;
  readonly #waiting: Waiting[] = [];
  readonly #head = Buffer.alloc(8);
  #headBytes = 0;
  #body: PooledBuffer | undefined;
  #bodyBytes = 0;
  #bodyFilled = 0;
  #correlationId = 0;
  #isCorked = false;
  #failure: MeshError | undefined;
  #stopCheck: (() => void) | undefined;

  constructor(socket: Socket, options: WireOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('end', () => this.#fail('closed by the broker'));
    socket.on('close', () => this.#fail('connection closed'));
    socket.setTimeout(0);
    socket.setNoDelay(true);
  }

  get cluster(): string {
    return this.#options.cluster;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** True when the broker speaks that version of the API. */
  speaks(apiKey: number, version: number): boolean {
    return (this.#options.versions.get(apiKey) ?? -1) >= version;
  }

  async request<T>(request: ApiRequest<T>): Promise<T> {
    const writer = new WireWriter();
    request.encode(writer);
    const answer = await this.send(request, [writer.bytes]);
    try {
      const reader = new WireReader(answer.body);
      if (request.isFlexible) reader.skipTags();
      return request.decode(reader);
    } finally {
      answer.release();
    }
  }

  /** Sends a body in parts, none of which may change until the answer is here. */
  send(
    request: Pick<
      ApiRequest<unknown>,
      'apiName' | 'apiKey' | 'apiVersion' | 'isFlexible' | 'extraMs' | 'timeoutMs'
    >,
    parts: readonly Buffer[],
  ): Promise<WireAnswer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff;
    const correlationId = this.#correlationId;
    const header = this.#requestHeader(request, correlationId, parts);
    const { clock, requestTimeoutMs } = this.#options;
    const usualMs = requestTimeoutMs + (request.extraMs ?? 0);
    const deadlineMs = clock.monotonicMs() + Math.min(usualMs, request.timeoutMs ?? Infinity);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ correlationId, what: request.apiName, deadlineMs, resolve, reject });
      this.#checkDeadlines();
      this.#corkForNow();
      this.#socket.write(header);
      for (const part of parts) this.#socket.write(part);
    });
  }

  /** All that is sent before other things get their turn goes in one call of the system. */
  #corkForNow(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }

  /** Where what comes next belongs, and nothing behind it; undefined: `receive` finds out. */
  get room(): Buffer | undefined {
    const body = this.#body;
    if (body === undefined || this.#bodyBytes - this.#bodyFilled < roomBytesMin) return undefined;
    return body.bytes.subarray(this.#bodyFilled, this.#bodyBytes);
  }

  /** So many bytes were read into the room. */
  filled(count: number): void {
    if (this.#body === undefined) return;
    this.#bodyFilled += count;
    if (this.#bodyFilled === this.#bodyBytes) this.#complete();
  }

  /** Takes bytes that arrived; they may be overwritten after the call. */
  receive(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#failure === undefined) {
      at += this.#body === undefined ? this.#takeHead(bytes, at) : this.#takeBody(bytes, at);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail('closed by us');
    await Promise.resolve();
  }

  #requestHeader(
    request: Pick<ApiRequest<unknown>, 'apiKey' | 'apiVersion' | 'isFlexible'>,
    correlationId: number,
    parts: readonly Buffer[],
  ): Buffer {
    const writer = new WireWriter(64).int32(0);
    writer.int16(request.apiKey).int16(request.apiVersion).int32(correlationId);
    writer.string(this.#options.clientId);
    if (request.isFlexible) writer.noTags();
    const header = writer.bytes;
    header.writeInt32BE(parts.reduce((sum, part) => sum + part.length, header.length - 4));
    return header;
  }

  /** Size and correlation id. */
  #takeHead(bytes: Buffer, at: number): number {
    const taken = bytes.copy(this.#head, this.#headBytes, at, at + 8 - this.#headBytes);
    this.#headBytes += taken;
    if (this.#headBytes < 8) return taken;
    this.#headBytes = 0;
    const size = this.#head.readInt32BE(0);
    const found = this.#head.readInt32BE(4);
    const wanted = this.#waiting[0]?.correlationId;
    if (found !== wanted || size < 4 || size > frameBytesMax) {
      this.#fail(`answer ${found} of ${size} bytes, wanted ${wanted ?? 'none'}`);
      return taken;
    }
    this.#bodyBytes = size - 4;
    this.#bodyFilled = 0;
    this.#body = this.#options.pool.take(this.#bodyBytes);
    if (this.#bodyBytes === 0) this.#complete();
    return taken;
  }

  #takeBody(bytes: Buffer, at: number): number {
    const body = this.#body;
    if (body === undefined) return 0;
    const wanted = this.#bodyBytes - this.#bodyFilled;
    const taken = bytes.copy(body.bytes, this.#bodyFilled, at, at + wanted);
    this.#bodyFilled += taken;
    if (this.#bodyFilled === this.#bodyBytes) this.#complete();
    return taken;
  }

  #complete(): void {
    const body = this.#body;
    this.#body = undefined;
    const waiting = this.#waiting.shift();
    if (body === undefined || waiting === undefined) return;
    waiting.resolve({
      body: body.bytes.subarray(0, this.#bodyBytes),
      release: () => body.release(),
    });
  }

  #checkDeadlines(): void {
    this.#stopCheck ??= this.#options.clock.after(deadlineCheckMs, () => {
      this.#stopCheck = undefined;
      const first = this.#waiting[0];
      if (first === undefined) return;
      // Answers come in order: when the first is late, so are all.
      if (this.#options.clock.monotonicMs() < first.deadlineMs) this.#checkDeadlines();
      else this.#fail(`no answer to ${first.what} in time`, true);
    });
  }

  #fail(why: string, isSilent = false): void {
    if (this.#failure !== undefined) return;
    const { cluster, broker } = this.#options;
    const message = `connection to ${broker} of ${cluster}: ${why}`;
    const failure = new MeshError('kafka_unavailable', message, {
      details: { cluster, broker, isSilent },
    });
    this.#failure = failure;
    this.#stopCheck?.();
    this.#body?.release();
    this.#body = undefined;
    this.#socket.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(failure);
  }
}
