/** Asks one agent of each site, or those that are named: what each site alone can tell. */
import { errorMessage } from '../base/errors.ts';
import type { AgentClient } from '../client/agent-client.ts';
import { agentAddresses, askFirst, readTopology, type FindOptions } from './agents.ts';
import type { CliIo } from './io.ts';
import { siteOption } from './move-options.ts';

export interface SiteOptions extends FindOptions {
  readonly site?: string;
}

export interface SiteAnswers<T> {
  /** Without a site when agents were named by their addresses. */
  readonly answers: readonly { readonly site: string | undefined; readonly answer: T }[];
  readonly silent: { readonly site: string; readonly why: string }[];
}

export async function askSites<T>(
  io: CliIo,
  options: SiteOptions,
  ask: (client: AgentClient) => Promise<T>,
): Promise<SiteAnswers<T>> {
  const answers: { site: string | undefined; answer: T }[] = [];
  const silent: { site: string; why: string }[] = [];
  for (const site of await sitesOf(io, options)) {
    try {
      const addresses = await agentAddresses(io, options, site);
      answers.push({ site, answer: await askFirst(io, addresses, options, ask) });
    } catch (error) {
      silent.push({ site: site ?? '', why: errorMessage(error) });
    }
  }
  return { answers, silent };
}

async function sitesOf(io: CliIo, options: SiteOptions): Promise<readonly (string | undefined)[]> {
  if (options.connect !== undefined) return [undefined];
  if (options.site !== undefined) return [siteOption('site', options.site)];
  return [...(await readTopology(io, options.topology)).sites.keys()];
}
