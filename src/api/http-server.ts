/**
 * The agent's HTTP port: probes, metrics, and the queries that people and scripts make with curl.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Deps } from '../base/deps.ts';
import { MeshError } from '../base/errors.ts';
import {
  agentStatusJson,
  lagJson,
  planJson,
  readinessJson,
  translateJson,
} from '../client/json.ts';
import { eventJson, lateJson } from '../client/json-events.ts';
import { parsePosition } from '../client/position-text.ts';
import { bindError } from './bind-error.ts';
import type { AgentPorts } from './ports.ts';
import { groupAndSites } from './services.ts';
import { httpStatus, toMeshError } from './status-code.ts';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Handler = (query: URLSearchParams, ports: AgentPorts) => Answer | Promise<Answer>;

const json = (value: unknown, status = 200): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(value, null, 1)}\n`,
});

const routes: Readonly<Record<string, Handler>> = {
  '/livez': () => ({ status: 200, type: 'text/plain', body: 'ok\n' }),
  '/readyz': (_query, ports) => {
    const { isReady, reasons } = ports.readiness();
    const body = isReady ? 'ready\n' : `${reasons.join('\n')}\n`;
    return { status: isReady ? 200 : 503, type: 'text/plain', body };
  },
  '/metrics': async (_query, ports) => ({
    status: 200,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: await ports.metricsText(),
  }),
  '/v1/status': (_query, ports) => json({ schema: 1, ...agentStatusJson(ports.status()) }),
  '/v1/groups': (_query, ports) =>
    json({ schema: 1, groups: ports.listGroups().map(readinessJson), silent: [] }),
  '/v1/events': (query, ports) => {
    const since = query.get('since');
    const sinceMs = since === null ? undefined : Date.parse(since);
    const limit = Number(query.get('limit') ?? 100);
    if (Number.isNaN(sinceMs) || !Number.isSafeInteger(limit) || limit < 0) {
      throw new MeshError('usage', 'wanted since=<ISO time>, limit=<number>; 0 is no limit');
    }
    const found = ports.events({ sinceMs, kinds: query.getAll('kind'), limit });
    return json({ schema: 1, events: found.map(eventJson), silent: [] });
  },
  '/v1/events/late': (_query, ports) =>
    json({ schema: 1, late: ports.listLate().map(lateJson), silent: [] }),
  '/v1/lag': (_query, ports) => json(lagJson(ports.status().flows)),
  '/v1/translate': async (query, ports) => {
    const request = groupAndSitesOf(query);
    const positions = query.getAll('position').map((text) => parsePosition(text, 'position'));
    return json(translateJson(await ports.translate({ ...request, positions })));
  },
  '/v1/failover': async (query, ports) => {
    const as = query.get('as') ?? undefined;
    const overwrite = query.get('overwrite') === 'true';
    const request = { ...groupAndSitesOf(query), as, overwrite };
    return json(planJson(await ports.planFailover(request)));
  },
};

function groupAndSitesOf(query: URLSearchParams): ReturnType<typeof groupAndSites> {
  return groupAndSites(query.get('group') ?? '', query.get('from') ?? '', query.get('to') ?? '');
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number;
}

/** @throws MeshError port_in_use, cannot_listen, naming the address */
export async function openHttpServer(
  address: string,
  ports: AgentPorts,
  deps: Deps,
): Promise<HttpServer> {
  const server = createServer((request, response) => void answer(request, response, ports, deps));
  await listen(server, address);
  // A server that listens on a port has an address of this kind.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(server: Server, address: string): Promise<void> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(at + 1));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(bindError('HTTP', address, error));
    });
    server.listen(port, host, resolve);
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  ports: AgentPorts,
  deps: Deps,
): Promise<void> {
  const { status, type, body } = await route(request, ports, deps);
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function route(request: IncomingMessage, ports: AgentPorts, deps: Deps): Promise<Answer> {
  try {
    const url = new URL(request.url ?? '/', 'http://agent');
    const handler = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
    if (handler === undefined) {
      const known = Object.keys(routes).join(', ');
      return problem(404, new MeshError('usage', `no ${url.pathname}; there are ${known}`));
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const text = `${url.pathname}: found ${request.method ?? '?'}, wanted GET`;
      return problem(405, new MeshError('usage', text));
    }
    return await handler(url.searchParams, ports);
  } catch (error) {
    const known = toMeshError(error, deps);
    return problem(httpStatus(known), known);
  }
}

function problem(status: number, { code, message, advice, details }: MeshError): Answer {
  return json({ error: { code, message, advice, details } }, status);
}
