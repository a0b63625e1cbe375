import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { TcpProxy, type ProxyOptions } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

/** A server that sends back what it gets, a proxy before it, and a client behind that. */
async function echoThrough(options: ProxyOptions) {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxy = await TcpProxy.open({ ...options, target });
  const sockets: Socket[] = [];
  return {
    proxy,
    async dial(): Promise<{ socket: Socket; got: () => number }> {
      const socket = net.connect(proxy.port, '127.0.0.1');
      sockets.push(socket);
      socket.on('error', () => undefined);
      let bytes = 0;
      socket.on('data', (chunk) => (bytes += chunk.length));
      await once(socket, 'connect');
      return { socket, got: () => bytes };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await proxy[Symbol.asyncDispose]();
      server.close();
    },
  };
}

test('bytes arrive unchanged and in order, ends too', async () => {
  await using link = await echoThrough({});
  const { socket } = await link.dial();
  const sent = Buffer.from(Array.from({ length: 700_000 }, (_, at) => at % 251));
  const parts: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => parts.push(chunk));
  socket.end(sent);
  await once(socket, 'end');
  assert.ok(Buffer.concat(parts).equals(sent));
});

test('latency: a round trip takes twice that', async () => {
  await using link = await echoThrough({ latencyMs: 40 });
  const { socket } = await link.dial();
  const startedAt = performance.now();
  socket.write('x');
  await once(socket, 'data');
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 79 && tookMs < 2_000, `${tookMs} ms`);
});

test('bandwidth: not more than the cap', async () => {
  await using link = await echoThrough({ bytesPerSecond: 400_000 });
  const { socket, got } = await link.dial();
  const startedAt = performance.now();
  socket.write(Buffer.alloc(200_000));
  await until('all bytes', () => got() === 200_000);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs >= 490 && tookMs < 2_500, `${tookMs} ms`);
});

test('cut: closes, refuses, and lets through again when mended', async () => {
  await using link = await echoThrough({});
  const first = await link.dial();
  link.proxy.cut();
  await once(first.socket, 'close');
  const second = await link.dial();
  second.socket.write('x');
  await once(second.socket, 'close');
  assert.equal(second.got(), 0);
  link.proxy.mend();
  const third = await link.dial();
  third.socket.write('x');
  await until('the echo', () => third.got() === 1);
});

test('black hole: nothing passes or is closed; what waited arrives when mended', async () => {
  await using link = await echoThrough({});
  const { socket, got } = await link.dial();
  socket.write('x');
  await until('the echo', () => got() === 1);
  link.proxy.blackHole();
  socket.write('y');
  const late = await link.dial();
  late.socket.write('z');
  const silence = AbortSignal.timeout(150);
  await once(silence, 'abort');
  assert.deepEqual([got(), late.got(), socket.closed], [1, 0, false]);
  link.proxy.mend();
  await until('both echoes', () => got() === 2 && late.got() === 1);
});

test('reset: an error at the client, not an end', async () => {
  await using link = await echoThrough({});
  const { socket, got } = await link.dial();
  socket.write('x');
  await until('the echo', () => got() === 1);
  const failed = once(socket, 'error');
  link.proxy.reset();
  const [error] = (await failed.catch((thrown: unknown) => [thrown])) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNRESET');
});
