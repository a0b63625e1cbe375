/**
 * Ports that nobody listens on. They are taken from below the range that the system uses for
 * outgoing connections: a client that keeps dialling a dead broker inside that range can, once in a
 * while, connect to itself, and the broker then cannot have its port back.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/errors.ts';

const lowest = 20_000;
const outgoingFromUsually = 32_768;
const triesMax = 2_000;

/** `count` different ports, none of them in `except`. */
export async function freePorts(
  count: number,
  clock: Clock,
  except: ReadonlySet<number> = new Set(),
): Promise<number[]> {
  const span = highest() - lowest;
  const first = Math.floor(clock.random() * span);
  const found: number[] = [];
  for (let tried = 0; tried < Math.min(span, triesMax) && found.length < count; tried += 1) {
    const port = lowest + ((first + tried) % span);
    if (!except.has(port) && (await isPortFree(port))) found.push(port);
  }
  if (found.length < count) {
    throw new MeshError('port_in_use', `no ${count} free ports from ${lowest} to ${highest()}`);
  }
  return found;
}

/** Listens on every address for a moment: that fails when anybody has the port on any of them. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

function highest(): number {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const from = Number(range.split(/\s+/)[0]);
    return from > lowest + triesMax ? from : outgoingFromUsually;
  } catch {
    return outgoingFromUsually;
  }
}
