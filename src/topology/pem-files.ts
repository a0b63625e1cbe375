/** Files that `tls` of sites names by `${file:PATH}`: those that can be read must be PEM. */
import type { Topology } from './model.ts';
import { pemProblem, type PemName } from './pem.ts';
import { topologyInvalid, type PlacedProblem } from './problems.ts';
import { readYaml } from './yaml-text.ts';

const names: readonly PemName[] = ['ca', 'cert', 'key'];

/**
 * @param readFile undefined: the file cannot be read here, where agents may well
 * @throws MeshError topology_invalid
 */
export async function checkPemFiles(
  topology: Topology,
  file: string,
  readFile: (path: string) => Promise<string | undefined>,
): Promise<void> {
  const { places } = readYaml(topology.source, file);
  const problems: PlacedProblem[] = [];
  for (const [site, { kafka }] of topology.sites) {
    for (const name of names) {
      const named = /^\$\{file:([^}]+)\}$/.exec(kafka.tls?.[name] ?? '')?.[1];
      const text = named === undefined ? undefined : await readFile(named);
      const wrong = text === undefined ? undefined : pemProblem(name, text);
      if (named === undefined || wrong === undefined) continue;
      const path = ['sites', site, 'kafka', 'tls', name];
      const message = `${path.join('.')}: in ${named} found ${wrong}`;
      problems.push(places.at({ path, message }));
    }
  }
  if (problems.length > 0) throw topologyInvalid(problems);
}
