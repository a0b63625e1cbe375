/**
 * Buffers for the two hot paths: responses of a fetch and stamped batches. Memory that was touched
 * before costs no page faults, and those were most of the price of receiving (see
 * docs/benchmarks.md). Sizes are powers of two; what is given back is kept up to a bound.
 */
export interface PooledBuffer {
  /** At least as long as was asked for; contents are arbitrary. */
  readonly bytes: Buffer;
  /** Gives the memory back. Nobody may read or write it from here on. Safe to call once only. */
  release(): void;
}

const sizeMin = 4096;

export class BufferPool {
  readonly #free = new Map<number, Buffer[]>();
  readonly #keptBytesMax: number;
  #keptBytes = 0;
  #outBytes = 0;

  constructor(keptBytesMax = 64 * 1024 * 1024) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** Bytes handed out and not yet given back. */
  get outBytes(): number {
    return this.#outBytes;
  }

  take(bytes: number): PooledBuffer {
    const size = Math.max(sizeMin, 2 ** Math.ceil(Math.log2(bytes)));
    const list = this.#free.get(size);
    const found = list?.pop();
    if (found !== undefined) this.#keptBytes -= size;
    const buffer = found ?? Buffer.allocUnsafeSlow(size);
    this.#outBytes += size;
    let isOut = true;
    return {
      bytes: buffer,
      release: () => {
        if (!isOut) return;
        isOut = false;
        this.#outBytes -= size;
        this.#keep(buffer);
      },
    };
  }

  #keep(buffer: Buffer): void {
    if (this.#keptBytes + buffer.length > this.#keptBytesMax) return;
    this.#keptBytes += buffer.length;
    const list = this.#free.get(buffer.length);
    if (list === undefined) this.#free.set(buffer.length, [buffer]);
    else list.push(buffer);
  }
}
