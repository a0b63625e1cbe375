import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { freePorts, isPortFree } from '../../../src/sandbox/free-ports.ts';

test('different ports, below those of outgoing connections, and not the excepted ones', async () => {
  const ports = await freePorts(20, systemClock);
  assert.equal(new Set(ports).size, 20);
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const outgoingFrom = Number(range.split(/\s/)[0]);
  assert.ok(ports.every((port) => port >= 20_000 && port < outgoingFrom));
  // A clock without chance begins at the same place again.
  const still = { ...systemClock, random: () => 0.5 };
  const first = await freePorts(3, still);
  const other = await freePorts(3, still, new Set(first));
  assert.ok(other.every((port) => !first.includes(port)));
});

test('a port on which somebody listens, on whatever address, is not free', async () => {
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const [port] = await freePorts(1, systemClock);
    assert.ok(port !== undefined);
    const server = net.createServer().listen(port, host);
    await once(server, 'listening');
    assert.equal(await isPortFree(port), false);
    server.close();
    await once(server, 'close');
    assert.equal(await isPortFree(port), true);
  }
});
