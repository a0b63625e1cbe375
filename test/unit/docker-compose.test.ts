/**
 * No Docker is needed to see that the parts of the compose file fit each other and the topology.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseTopology } from '../../src/topology/parse.ts';

const root = path.dirname(path.dirname(import.meta.dirname));
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');

const serviceSchema = z.object({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  ports: z.array(z.string().regex(/^\d+:\d+$/)),
  volumes: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
const compose = z
  .object({ services: z.record(z.string(), serviceSchema) })
  .parse(parse(read('docker-compose.yml'), { merge: true }));
const topologyFile = 'topology/compose.yaml';
const sites = [...parseTopology(read(topologyFile), topologyFile).sites.values()];

function service(name: string): z.infer<typeof serviceSchema> {
  const found = compose.services[name];
  assert.ok(found, `docker-compose.yml has no service ${name}`);
  return found;
}

/** `NAME://host:port,…` as a table. */
function listeners(text: unknown): Map<string, string> {
  return new Map(
    String(text)
      .split(',')
      .map((one) => one.split('://') as [string, string]),
  );
}

test('three sites, and no service beside theirs', () => {
  assert.equal(sites.length, 3);
  const wanted = sites.flatMap(({ name }) => [`kafka-${name}`, `agent-${name}`]);
  assert.deepEqual(Object.keys(compose.services).sort(), wanted.sort());
});

test('no two services publish the same port', () => {
  const published = Object.values(compose.services).flatMap(({ ports }) =>
    ports.map((port) => port.split(':')[0]),
  );
  assert.equal(new Set(published).size, published.length);
});

for (const { name, kafka, agents } of sites) {
  describe(`site ${name}`, () => {
    test('its brokers are those that the topology names', () => {
      const broker = service(`kafka-${name}`);
      assert.match(broker.image, /^apache\/kafka:4\.\d+\.\d+$/);
      const settings = broker.environment ?? {};
      const advertised = listeners(settings['KAFKA_ADVERTISED_LISTENERS']);
      const bound = listeners(settings['KAFKA_LISTENERS']);
      assert.deepEqual(kafka.brokersLocal, [advertised.get('INSIDE')]);
      assert.equal(advertised.get('INSIDE')?.split(':')[0], `kafka-${name}`);
      for (const [listener, address] of advertised) {
        const inside = bound.get(listener)?.split(':')[1];
        const [, outside] = address.split(':');
        // The inner listener is reached by its own port, the outer one by the published port.
        if (listener === 'INSIDE') assert.equal(outside, inside);
        else assert.deepEqual(broker.ports, [`${outside ?? ''}:${inside ?? ''}`]);
      }
    });

    test('its broker tells clients and itself the same listeners', () => {
      const settings = service(`kafka-${name}`).environment ?? {};
      const bound = listeners(settings['KAFKA_LISTENERS']);
      const protocols = String(settings['KAFKA_LISTENER_SECURITY_PROTOCOL_MAP']).split(',');
      assert.deepEqual(
        protocols.map((one) => one.split(':')[0]),
        [...bound.keys()],
      );
      const controller = String(settings['KAFKA_CONTROLLER_LISTENER_NAMES']);
      const voter = String(settings['KAFKA_CONTROLLER_QUORUM_VOTERS']);
      assert.equal(voter.split(':')[1], bound.get(controller)?.split(':')[1]);
      const health = service(`kafka-${name}`).healthcheck?.test.join(' ') ?? '';
      assert.ok(health.includes(`localhost${bound.get('INSIDE') ?? ''}`), health);
    });

    test('its agent runs that site, from that file, at those addresses', () => {
      const agent = service(`agent-${name}`);
      const [, , , , mounted = ''] = agent.command ?? [];
      assert.deepEqual(agent.command, ['agent', '--site', name, '--topology', mounted]);
      assert.deepEqual(agent.volumes, [`./${topologyFile}:${mounted}:ro`]);
      assert.deepEqual(agent.depends_on, { [`kafka-${name}`]: { condition: 'service_healthy' } });
      const [address] = agents;
      assert.equal(agents.length, 1);
      const [grpcHost, grpcPort] = address?.grpc.split(':') ?? [];
      const [httpHost, httpPort] = address?.http.split(':') ?? [];
      assert.deepEqual([grpcHost, httpHost], [`agent-${name}`, `agent-${name}`]);
      const reached = agent.ports.map((port) => port.split(':')[1]);
      assert.deepEqual(reached, [grpcPort, httpPort]);
    });
  });
}

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');
  const instructions = (name: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []));

  test('the ports that the agents listen at are exposed', () => {
    const ports = sites.flatMap(({ agents }) => agents.flatMap(({ grpc, http }) => [grpc, http]));
    const wanted = new Set(ports.map((address) => address.split(':')[1]));
    assert.deepEqual(new Set(instructions('EXPOSE').flatMap((one) => one.split(' '))), wanted);
  });

  test('what it copies and starts is there, and not kept from it', () => {
    const ignored = new Set(read('.dockerignore').split('\n'));
    for (const copy of instructions('COPY')) {
      if (copy.startsWith('--from=')) continue;
      for (const name of copy.split(' ').slice(0, -1)) {
        assert.ok(existsSync(path.join(root, name)), `COPY ${name}`);
        assert.ok(!ignored.has(name), `.dockerignore leaves out ${name}`);
      }
    }
    const [entry] = instructions('ENTRYPOINT');
    const [, script = ''] = JSON.parse(entry ?? '[]') as string[];
    assert.ok(existsSync(path.join(root, script.replace(/^\/app\//, ''))), script);
    assert.ok(instructions('COPY').includes('bin ./bin'));
  });

  test('its Node is one that the packages allow', () => {
    const engines = z.object({ engines: z.object({ node: z.string() }) });
    const { node } = engines.parse(JSON.parse(read('package.json'))).engines;
    for (const image of instructions('FROM')) {
      assert.equal(/^node:(\d+)-slim/.exec(image)?.[1], /^>=(\d+)\./.exec(node)?.[1]);
    }
  });
});
