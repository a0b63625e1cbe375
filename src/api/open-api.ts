/** Both ports of an agent, opened and closed together. */
import type { Deps } from '../base/deps.ts';
import { Scope } from '../base/scope.ts';
import { openGrpcServer } from './grpc-server.ts';
import { openHttpServer } from './http-server.ts';
import type { AgentPorts } from './ports.ts';

export interface ApiOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly grpc: string;
  readonly http: string;
  readonly ports: AgentPorts;
}

export interface Api extends AsyncDisposable {
  readonly grpcPort: number;
  readonly httpPort: number;
}

/** @throws MeshError port_in_use, cannot_listen, naming the address */
export async function openApi({ grpc, http, ports }: ApiOptions, deps: Deps): Promise<Api> {
  return Scope.build(async (scope) => {
    const grpcServer = scope.own(await openGrpcServer(grpc, ports, deps));
    const httpServer = scope.own(await openHttpServer(http, ports, deps));
    return {
      grpcPort: grpcServer.port,
      httpPort: httpServer.port,
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  });
}
