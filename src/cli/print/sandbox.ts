/** The table of `sandbox`. */
import { table } from './table.ts';

export interface SandboxJson {
  readonly schema: 1;
  readonly dir: string;
  readonly meshFile: string;
  readonly sites: readonly {
    readonly site: string;
    readonly kafka: string;
    readonly log: string;
    readonly brokers: readonly {
      readonly id: number;
      readonly address: string;
      readonly state: 'running' | 'frozen' | 'gone';
      readonly pid: number | null;
    }[];
  }[];
}

export function sandboxTable({ dir, meshFile, sites }: SandboxJson): string {
  const rows = sites.flatMap(({ site, kafka, log, brokers }) =>
    brokers.map(({ id, address, state, pid }) => [
      brokers.length > 1 ? `${site}/${id}` : site,
      kafka,
      address,
      state,
      pid === null ? '-' : String(pid),
      log,
    ]),
  );
  const header = ['SITE', 'KAFKA', 'ADDRESS', 'STATE', 'PID', 'LOG'];
  return `sandbox in ${dir}, topology ${meshFile}\n\n${table(header, rows)}`;
}
