/**
 * A link that can be bad: a TCP proxy on loopback with latency, a bandwidth cap, a cut (refuses and
 * closes), a black hole (takes everything, says nothing) and resets. What was in flight when the
 * link changed follows the new state, as on a real one. Bytes are never reordered or changed.
 */
import { EventEmitter, once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type LinkState = 'open' | 'cut' | 'black_hole';

export interface ProxyOptions {
  /** `host:port`; may be set later by `forwardTo`. */
  readonly target?: string;
  /** One way; a round trip takes twice that. */
  readonly latencyMs?: number;
  /** Of all connections together, each way. */
  readonly bytesPerSecond?: number;
  /** What may be under way on one connection each way, as TCP's window bounds it: 256 KiB. */
  readonly windowBytes?: number;
}

const windowBytesUsual = 256 * 1024;

export class TcpProxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #target: string | undefined;
  #latencyMs: number;
  readonly #windowBytes: number;
  #bytesPerSecond: number;
  #state: LinkState = 'open';
  /** When the capped link is free again, one per direction. */
  readonly #busyUntil = { up: 0, down: 0 };
  readonly #mended = new EventEmitter();

  private constructor(options: ProxyOptions) {
    this.#target = options.target;
    this.#latencyMs = options.latencyMs ?? 0;
    this.#windowBytes = options.windowBytes ?? windowBytesUsual;
    this.#bytesPerSecond = options.bytesPerSecond ?? Infinity;
    this.#mended.setMaxListeners(0);
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) =>
      this.#accept(socket),
    );
  }

  static async open(options: ProxyOptions = {}): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    // A listening TCP server has such an address.
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `localhost:${this.port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  forwardTo(target: string): void {
    this.#target = target;
  }

  setLatencyMs(ms: number): void {
    this.#latencyMs = ms;
  }

  /** undefined: no cap. */
  setBytesPerSecond(cap: number | undefined): void {
    this.#bytesPerSecond = cap ?? Infinity;
  }

  /** Closes what is open, and new connections as they come. */
  cut(): void {
    this.#turn('cut');
    this.#each((socket) => socket.destroy());
  }

  /** RST instead of FIN, once; new connections are taken. */
  reset(): void {
    this.#each((socket) => socket.resetAndDestroy());
  }

  /** Connections stay and new ones are taken, but nothing passes until `mend`. */
  blackHole(): void {
    this.#turn('black_hole');
  }

  mend(): void {
    this.#turn('open');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #turn(state: LinkState): void {
    this.#state = state;
    this.#mended.emit('turn');
  }

  #each(call: (socket: Socket) => void): void {
    for (const pair of this.#pairs) pair.forEach(call);
  }

  #accept(client: Socket): void {
    const [host, port] = this.#target?.split(':') ?? [];
    if (this.#state === 'cut' || host === undefined || port === undefined) {
      client.destroy();
      return;
    }
    const server = net.connect({ host, port: Number(port), allowHalfOpen: true });
    server.setNoDelay(true);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    for (const [from, to, way] of [
      [client, server, 'up'],
      [server, client, 'down'],
    ] as const) {
      from.on('error', () => undefined); // 'close' follows.
      this.#carry(from, to, way);
    }
  }

  /** Chunks wait in line, each for its time; reading stops while too much waits. */
  #carry(from: Socket, to: Socket, way: 'up' | 'down'): void {
    let line = Promise.resolve();
    let waiting = 0;
    const enqueue = (bytes: number, pass: () => void): void => {
      const sentAt = Math.max(performance.now(), this.#busyUntil[way]);
      this.#busyUntil[way] = sentAt + (bytes / this.#bytesPerSecond) * 1_000;
      const dueAt = this.#busyUntil[way] + this.#latencyMs;
      line = line.then(() => this.#passAt(dueAt)).then(pass);
    };
    from.on('data', (chunk) => {
      waiting += chunk.length;
      if (waiting > this.#windowBytes) from.pause();
      enqueue(chunk.length, () => {
        waiting -= chunk.length;
        if (!to.destroyed) to.write(chunk);
        if (waiting <= this.#windowBytes && !from.destroyed) from.resume();
      });
    });
    from.on('end', () => enqueue(0, () => void to.end()));
    // Behind what is still on its way: a close overtakes nothing.
    from.on('close', (hadError) => {
      this.#forget(from);
      enqueue(0, () => (hadError ? to.resetAndDestroy() : to.destroySoon()));
    });
  }

  #forget(socket: Socket): void {
    for (const pair of this.#pairs) if (pair.includes(socket)) this.#pairs.delete(pair);
  }

  async #passAt(dueAt: number): Promise<void> {
    // Node cuts fractions off, and a timer may fire a millisecond early.
    for (let ms = dueAt - performance.now(); ms > 0; ms = dueAt - performance.now()) {
      await sleep(Math.ceil(ms), undefined, { ref: false });
    }
    while (this.#state === 'black_hole') await once(this.#mended, 'turn');
  }
}
