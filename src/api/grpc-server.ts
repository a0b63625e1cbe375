/** The agent's gRPC port: our services, health, reflection. */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ReflectionService } from '@grpc/reflection';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import { loadSync } from '@grpc/proto-loader';
import type { Deps } from '../base/deps.ts';
import { bindError } from './bind-error.ts';
import type { AgentPorts } from './ports.ts';
import { addServices, serviceNames } from './services.ts';

const closeTimeoutMs = 3_000;
const healthMs = 1_000;
const mebibyte = 1024 * 1024;

export interface GrpcServer extends AsyncDisposable {
  readonly port: number;
}

/** @throws MeshError port_in_use, cannot_listen, naming the address */
export async function openGrpcServer(
  address: string,
  ports: AgentPorts,
  deps: Deps,
): Promise<GrpcServer> {
  const closing = new AbortController();
  const server = new Server({
    'grpc.max_receive_message_length': 64 * mebibyte,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
  });
  // Every call listens to it until it has ended.
  setMaxListeners(0, closing.signal);
  addServices(server, { ports, deps, signal: closing.signal });
  const health = new HealthImplementation();
  health.addToServer(server);
  const ours = loadSync(protoFiles(), { includeDirs: [protoFolder()] });
  new ReflectionService({ ...ours, ...loadSync(healthProto) }).addToServer(server);
  const port = await listen(server, address);
  const stopHealth = keepHealth(health, ports, deps);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      stopHealth();
      closing.abort();
      await close(server, deps);
    },
  };
}

async function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(bindError('gRPC', address, error));
    });
  });
}

/** Health is what readiness says, for the whole server and for each service. */
function keepHealth(health: HealthImplementation, ports: AgentPorts, { clock }: Deps): () => void {
  let cancel: () => void;
  const tell = (): void => {
    const status = ports.readiness().isReady ? 'SERVING' : 'NOT_SERVING';
    for (const name of ['', ...serviceNames]) health.setStatus(name, status);
    cancel = clock.after(healthMs, tell);
  };
  tell();
  return () => cancel();
}

async function close(server: Server, { clock }: Deps): Promise<void> {
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await Promise.race([closed, clock.sleep(closeTimeoutMs)]);
  server.forceShutdown();
}

/** Beside `src` in the sources, inside `dist` once built. */
function protoFolder(): string {
  const here = import.meta.dirname;
  const inDist = path.join(here, '..', 'proto');
  return existsSync(inDist) ? inDist : path.join(here, '..', '..', 'proto');
}

function protoFiles(): string[] {
  return ['topology', 'groups', 'checkpoint', 'failover', 'flow'].map(
    (name) => `causeway/v1/${name}.proto`,
  );
}
