/** Unsigned numbers up to 2^53 in few bytes, seven bits each: what state records are made of. */

export class NumberWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(bytesGuess: number) {
    this.#bytes = Buffer.allocUnsafe(bytesGuess);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  number(value: number): void {
    if (this.#at + 8 > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length + 64)]);
    }
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at] = (rest % 128) | 0x80;
      this.#at += 1;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at] = rest;
    this.#at += 1;
  }
}

export class NumberReader {
  readonly #bytes: Buffer;
  readonly #corrupt: (found: string) => Error;
  #at = 0;

  /** @param corrupt the error of bytes that end early */
  constructor(bytes: Buffer, corrupt: (found: string) => Error) {
    this.#bytes = bytes;
    this.#corrupt = corrupt;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || scale > 2 ** 49) {
        throw this.#corrupt(`ends early, at byte ${this.#at} of ${this.#bytes.length}`);
      }
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
}
