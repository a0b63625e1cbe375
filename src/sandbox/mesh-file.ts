/** The topology file of a sandbox: every pair of its sites, both ways, one agent or more a site. */
export interface MeshSite {
  readonly name: string;
  readonly brokers: readonly string[];
  readonly agents: readonly { readonly grpc: string; readonly http: string }[];
}

export function meshFile(sites: readonly MeshSite[]): string {
  const lines = [
    '# Made by `causeway sandbox up`; yours to change. Raise the version with each change.',
    'apiVersion: causeway/v1',
    'mesh: sandbox',
    'version: 1',
    'sites:',
  ];
  for (const { name, brokers, agents } of sites) {
    lines.push(
      `  ${name}:`,
      '    kafka:',
      `      brokers: [${brokers.map((address) => `"${address}"`).join(', ')}]`,
      '    agents:',
      ...agents.map(({ grpc, http }) => `      - { grpc: "${grpc}", http: "${http}" }`),
    );
  }
  return `${lines.join('\n')}\n`;
}
