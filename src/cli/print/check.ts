/** The table of `check`. */
import { table } from './table.ts';

export interface CheckJson {
  readonly schema: 1;
  readonly mesh: string;
  readonly version: number;
  readonly hash: string;
  readonly sites: readonly {
    readonly site: string;
    readonly brokers: readonly string[];
    readonly agents: readonly { readonly grpc: string; readonly http: string }[];
  }[];
  readonly flows: readonly {
    readonly flow: string;
    readonly forward: readonly string[];
    readonly start: string;
    readonly compression: string;
  }[];
  /** Records born at one site never reach the other: fine for hubs, to be known all the same. */
  readonly unreached: readonly { readonly born: string; readonly site: string }[];
}

export function checkTable(answer: CheckJson): string {
  const { mesh, version, hash, sites, flows, unreached } = answer;
  return [
    `mesh ${mesh} v${version}, hash ${hash.slice(0, 12)}: no problems\n\n`,
    table(
      ['SITE', 'BROKERS', 'AGENTS'],
      sites.map(({ site, brokers, agents }) => [
        site,
        brokers.join(', '),
        agents.map(({ grpc, http }) => `${grpc} (http ${http})`).join(', '),
      ]),
    ),
    '\n',
    table(
      ['FLOW', 'START', 'COMPRESSION', 'FORWARDS'],
      flows.map(({ flow, start, compression, forward }) => [
        flow,
        start,
        compression,
        forward.join(', ') || '-',
      ]),
    ),
    ...unreached.map(({ born, site }) => `note: records born at ${born} never reach ${site}\n`),
  ].join('');
}
