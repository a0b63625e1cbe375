/**
 * Opens a connection: kafkajs connects, asks for versions and authenticates; then its socket is
 * ours. Its own request queue, which polls every millisecond, is put away with the rest of it.
 */
import { createRequire } from 'node:module';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { BufferPool } from '../base/buffer-pool.ts';
import type { Deps } from '../base/deps.ts';
import { connectError } from './convert-error.ts';
import { limitSession } from './session-limit.ts';
import { Wire } from './wire.ts';

export interface ClusterSettings {
  /** For logs and errors: the name of the site. */
  readonly name: string;
  /** `host:port` of the bootstrap brokers. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly serverName?: string;
  };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
  readonly connectTimeoutMs?: number; // 10,000
  readonly requestTimeoutMs?: number; // 30,000
  readonly pool?: BufferPool;
}

/** The parts of kafkajs 2.2.4 that are used; the version is pinned exactly. */
interface KafkaJsConnection {
  socket: Socket | undefined;
  requestQueue: { destroy(): void };
  sessionLifetime: { toString(): string };
  disconnect(): Promise<unknown>;
}
interface KafkaJsPool {
  readonly pool: readonly KafkaJsConnection[];
  destroy(): Promise<void>;
}
interface KafkaJsBroker {
  readonly versions: Record<string, { minVersion: number; maxVersion: number }>;
  connect(): Promise<void>;
}
type Constructor<T> = new (options: Record<string, unknown>) => T;

const require = createRequire(import.meta.url);
// kafkajs has no export map, so that its modules can be loaded one by one; these are their shapes.
const ConnectionPool = require('kafkajs/src/network/connectionPool') as Constructor<KafkaJsPool>;
const Broker = require('kafkajs/src/broker') as Constructor<KafkaJsBroker>;

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  namespace: () => silent,
};

const readBytes = 256 * 1024;
const keepAliveMs = 30_000;

export async function openWire(
  settings: ClusterSettings,
  address: { readonly host: string; readonly port: number },
  deps: Deps,
): Promise<Wire> {
  const broker = `${address.host}:${address.port}`;
  const timeoutMs = settings.connectTimeoutMs ?? 10_000;
  const requestTimeoutMs = settings.requestTimeoutMs ?? 30_000;
  const sink: Sink = { wire: undefined };
  const pool = new ConnectionPool({
    ...address,
    logger: silent,
    socketFactory: socketFactory(settings, sink),
    ssl: settings.tls === undefined ? null : {},
    sasl: settings.sasl ?? null,
    clientId: settings.clientId,
    connectionTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    enforceRequestTimeout: true,
  });
  const opened = new Broker({
    connectionPool: pool,
    logger: silent,
    authenticationTimeout: timeoutMs,
  });
  const connection = pool.pool[0];
  try {
    await opened.connect();
    const socket = connection?.socket;
    if (connection === undefined || socket === undefined) throw new Error('no socket');
    for (const event of ['data', 'end', 'error', 'timeout']) socket.removeAllListeners(event);
    for (const { requestQueue } of pool.pool) requestQueue.destroy();
    const wire = new Wire(socket, {
      cluster: settings.name,
      broker,
      clientId: settings.clientId,
      requestTimeoutMs,
      pool: settings.pool ?? new BufferPool(),
      clock: deps.clock,
      versions: versionsOf(opened),
    });
    sink.wire = wire;
    if (settings.tls !== undefined) socket.on('data', (bytes: Buffer) => wire.receive(bytes));
    const lifetimeMs = Number(connection.sessionLifetime.toString());
    limitSession(lifetimeMs, socket, () => void wire[Symbol.asyncDispose](), deps.clock);
    return wire;
  } catch (error) {
    connection?.socket?.on('error', () => undefined);
    connection?.socket?.destroy();
    for (const { requestQueue } of pool.pool) requestQueue.destroy();
    throw connectError(settings.name, broker, error);
  }
}

/** Until the hand-over what arrives is for kafkajs. */
interface Sink {
  wire: Wire | undefined;
}

function versionsOf(broker: KafkaJsBroker): ReadonlyMap<number, number> {
  return new Map(
    Object.entries(broker.versions).map(([key, { maxVersion }]) => [Number(key), maxVersion]),
  );
}

type SocketFactory = (options: { host: string; port: number; onConnect: () => void }) => Socket;

/** Without TLS, bytes are read into memory of ours: a buffer for the connection, or their place. */
function socketFactory(settings: ClusterSettings, sink: Sink): SocketFactory {
  return ({ host, port, onConnect }) => {
    const socket =
      settings.tls === undefined ? plain(host, port) : secure(host, port, settings.tls);
    socket.once(settings.tls === undefined ? 'connect' : 'secureConnect', onConnect);
    socket.setKeepAlive(true, keepAliveMs);
    return socket;
  };

  function plain(host: string, port: number): Socket {
    const shared = Buffer.allocUnsafeSlow(readBytes);
    let isRoom = false;
    const socket: Socket = net.connect({
      host,
      port,
      onread: {
        // Asked once, and again after each read.
        buffer: () => {
          const room = sink.wire?.room;
          isRoom = room !== undefined;
          return room ?? shared;
        },
        callback: (count) => {
          // An onread socket emits no data; until the hand-over kafkajs waits for it, and keeps it.
          if (sink.wire === undefined) socket.emit('data', Buffer.from(shared.subarray(0, count)));
          else if (isRoom) sink.wire.filled(count);
          else sink.wire.receive(shared.subarray(0, count));
          return true;
        },
      },
    });
    return socket;
  }
}

function secure(
  host: string,
  port: number,
  settings: NonNullable<ClusterSettings['tls']>,
): tls.TLSSocket {
  const { ca, cert, key } = settings;
  const servername = settings.serverName ?? (net.isIP(host) === 0 ? host : undefined);
  return tls.connect({
    host,
    port,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  });
}
