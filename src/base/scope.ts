/**
 * A scope owns what was opened in it and closes it in reverse order, once, whoever asks first.
 * An `open` that fails half-way closes what it had opened.
 */
import { toError } from './errors.ts';

type Disposer = () => PromiseLike<void> | void;

export class Scope implements AsyncDisposable {
  readonly #disposers: Disposer[] = [];
  readonly #controller = new AbortController();
  #closing: Promise<void> | undefined;

  /** Fires when closing begins: loops that run in this scope end on it. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Owns a resource: it is disposed of when the scope closes. */
  own<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  /** Calls `dispose` when the scope closes. */
  defer(dispose: Disposer): void {
    this.#disposers.push(dispose);
  }

  /** Owns a running loop: closing aborts the signal first and then waits for it to end. */
  run(loop: Promise<void>): void {
    const settled = loop.then(
      () => undefined,
      () => undefined,
    );
    this.defer(() => settled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#controller.abort();
    const failures: Error[] = [];
    for (const dispose of this.#disposers.reverse()) {
      try {
        await dispose();
      } catch (error) {
        failures.push(toError(error));
      }
    }
    this.#disposers.length = 0;
    const [first, ...others] = failures;
    if (first === undefined) return;
    throw others.length === 0 ? first : new AggregateError(failures, 'closing failed');
  }

  /** Runs `open` in a new scope: closed again when it throws, handed over when it does not. */
  static async build<T>(open: (scope: Scope) => Promise<T>): Promise<T> {
    const scope = new Scope();
    try {
      return await open(scope);
    } catch (error) {
      await scope[Symbol.asyncDispose]().catch(() => undefined);
      throw error;
    }
  }
}
