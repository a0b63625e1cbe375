/** What an application says of its consumer, and the checks that need no network. */
import type { ConsumerConfig, Kafka } from 'kafkajs';
import { MeshError } from '../../base/errors.ts';
import { isSiteName } from '../../base/ids.ts';
import type { ConsumerHooks, ConsumerLog } from './events.ts';

/** One site, as this application reaches it. */
export interface ConsumerSite {
  /**
   * A kafkajs client of that site's brokers. One for each MeshConsumer: kafkajs keeps the offsets
   * of a group in it.
   */
  readonly kafka: Kafka;
  /**
   * gRPC addresses (`host:port`) of the site's agents. All of them: the one that carries out a
   * switchover asks members to leave. None: the offsets that agents wrote earlier serve.
   */
  readonly agents?: readonly string[];
}

export interface MoveOnLoss {
  /**
   * Milliseconds for which the brokers of the site have not answered, neither to this process nor
   * to the agents of the other site. From 1,000 on.
   */
  readonly afterMs: number;
  /**
   * Also when no agent of any other site answers: then nobody else has seen that the site is lost,
   * and the group goes on from the offsets that agents wrote there before. False unless said.
   */
  readonly withoutAgents?: boolean;
}

export interface MeshConsumerOptions {
  /** Group id, the same at every site. Its mode is to be `single` in the topology. */
  readonly group: string;
  /** By name, as in the topology. Without any agent the first that can be used is taken. */
  readonly sites: Readonly<Record<string, ConsumerSite>>;
  /**
   * Topics by their name at birth: `orders` is `orders` and `west.orders` at east, and `orders`
   * and `east.orders` at west. A RegExp has to match somewhere in that name: anchor it.
   */
  readonly topics: string | RegExp | readonly (string | RegExp)[];
  /** Sites besides those of `sites` whose copies are read, such as `north` in `north.orders`. */
  readonly origins?: readonly string[];
  /** For kafkajs. Offsets are committed after handling; records without a position are read. */
  readonly consumer?: Omit<ConsumerConfig, 'groupId' | 'allowAutoTopicCreation'>;
  /** Where to run while no home is known: a group that the topology does not declare. */
  readonly firstSite?: string;
  /** Left out: only people, and agents on their order, move the group. */
  readonly moveOnLoss?: MoveOnLoss;
  /**
   * What to do at the start with a partition whose position is known at another site and cannot be
   * translated: not start (default), or read it from its start.
   */
  readonly unknownPositions?: 'refuse' | 'earliest';
  /** For how many milliseconds to look for an agent before going on without; 10,000. */
  readonly agentTimeoutMs?: number;
  /** How often to look for topics that are new at the site, in milliseconds; 5,000. */
  readonly topicsMs?: number;
  /** pino, or whatever takes fields and then a sentence. Nothing is logged of records. */
  readonly log?: ConsumerLog;
  readonly hooks?: ConsumerHooks;
  /** Who asks, in the records of what agents did: `consumer <group>` unless said. */
  readonly requestedBy?: string;
}

const msMin = 1_000;

function usage(name: string, found: unknown, wanted: string): MeshError {
  return new MeshError('usage', `${name}: found ${JSON.stringify(found)}, wanted ${wanted}`);
}

/** @throws MeshError usage, site_unknown */
export function checkOptions(options: MeshConsumerOptions): void {
  const { group, sites, topics, origins = [], firstSite, moveOnLoss } = options;
  if (group === '') throw usage('group', group, 'a group id');
  const names = Object.keys(sites);
  if (names.length === 0) throw usage('sites', names, 'at least one site');
  for (const name of [...names, ...origins]) {
    if (!isSiteName(name)) throw usage('sites', name, 'names as in the topology, such as east');
  }
  for (const [name, { agents = [] }] of Object.entries(sites)) {
    for (const address of agents) {
      if (!/^(\[[^\]]+\]|[^:\s]+):\d{1,5}$/.test(address)) {
        throw usage(`sites.${name}.agents`, address, 'host:port of gRPC');
      }
    }
  }
  if (firstSite !== undefined && !names.includes(firstSite)) {
    throw new MeshError('site_unknown', `firstSite: no site ${firstSite} in ${names.join(', ')}`);
  }
  if (Array.isArray(topics) && topics.length === 0) throw usage('topics', topics, 'one at least');
  if (moveOnLoss !== undefined && !(moveOnLoss.afterMs >= msMin)) {
    throw usage('moveOnLoss.afterMs', moveOnLoss.afterMs, `milliseconds from ${msMin} on`);
  }
}
