/**
 * An answer that is asked for over and over, and seldom differs: what came before is compared byte
 * for byte, and decoded only when it is another. Whoever asks may tell by `===` that nothing changed.
 */
import type { ApiRequest } from './api-request.ts';

export class RepeatedAnswer<T> {
  readonly #request: ApiRequest<T>;
  #last: { readonly bytes: Buffer; readonly answer: T } | undefined;

  constructor(request: ApiRequest<T>) {
    this.#request = request;
  }

  get request(): ApiRequest<T> {
    return { ...this.#request, decode: (reader) => this.#decode(reader) };
  }

  #decode(reader: Parameters<ApiRequest<T>['decode']>[0]): T {
    const { rest } = reader;
    if (this.#last?.bytes.equals(rest) === true) return this.#last.answer;
    // The reader's memory is reused.
    const bytes = Buffer.from(rest);
    const answer = this.#request.decode(reader);
    this.#last = { bytes, answer };
    return answer;
  }
}
