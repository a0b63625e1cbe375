/** Small topologies for tests that need no cluster. */
import type { Topology } from '../../src/topology/model.ts';
import { parseTopology } from '../../src/topology/parse.ts';

/** East and west, everything carried both ways, and more lines such as `defaults: {...}`. */
export function twoSites(...more: readonly string[]): Topology {
  const site = (name: string, port: number): string =>
    `  ${name}: {kafka: {brokers: ["${name}:9092"]}, ` +
    `agents: [{grpc: "agent:${port}", http: "agent:${port + 1}"}]}`;
  const lines = ['apiVersion: causeway/v1', 'mesh: shop', 'version: 1', 'sites:'];
  const text = [...lines, site('east', 1), site('west', 3), ...more].join('\n');
  return parseTopology(text, 'mesh.yaml');
}
