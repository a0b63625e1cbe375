/** Asks one agent of each site, or those that are named: what each site alone can tell. */
import { errorMessage } from '../base/errors.ts';
import type { AgentClient } from '../client/agent-client.ts';
import { agentAddresses, askFirst, readTopology, type FindOptions } from './agents.ts';
import type { CliIo } from './io.ts';
import { groupOption, siteOption } from './move-options.ts';

export interface SiteOptions extends FindOptions {
  readonly site?: string;
  readonly group?: string;
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
  // What is wrong with the options is so for each site: told at once.
  for (const { site, addresses } of await placesOf(io, options)) {
    try {
      answers.push({ site, answer: await askFirst(io, addresses, options, ask) });
    } catch (error) {
      silent.push({ site: site ?? '', why: errorMessage(error) });
    }
  }
  return { answers, silent };
}

interface Place {
  readonly site: string | undefined;
  readonly addresses: readonly string[];
}

async function placesOf(io: CliIo, options: SiteOptions): Promise<readonly Place[]> {
  groupOption(options.group);
  const site = options.site === undefined ? undefined : siteOption('site', options.site);
  const about = site === undefined ? {} : { at: site, sites: { '--site': site } };
  const addresses = await agentAddresses(io, options, about);
  if (options.connect !== undefined) return [{ site: undefined, addresses }];
  if (site !== undefined) return [{ site, addresses }];
  const { sites } = await readTopology(io, options.topology);
  return [...sites].map(([name, { agents }]) => {
    return { site: name, addresses: agents.map(({ grpc }) => grpc) };
  });
}
