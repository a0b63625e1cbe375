/**
 * What a flow carries, and under which name: structure alone keeps records from going in circles.
 * Local topics are carried; remote ones only where the flow forwards their site; none whose name
 * says that it has been at the target.
 */
import { flowId, type FlowId, type SiteName } from '../base/ids.ts';
import { matchesFilter } from './filter.ts';
import type { FlowSettings, Topology } from './model.ts';
import {
  heartbeatsTopic,
  isInternalTopic,
  leftAlone,
  remoteTopicName,
  topicChain,
} from './names.ts';

export type Carried =
  | {
      readonly carried: true;
      readonly remoteTopic: string;
      /** Aliases in the name of the source topic: stamps of earlier hops to look at. */
      readonly hops: number;
    }
  | { readonly carried: false; readonly why: string };

const kafkaNameMax = 249;

export function carriedTopic(flow: FlowSettings, topology: Topology, topic: string): Carried {
  const no = (why: string): Carried => ({ carried: false, why });
  if (isInternalTopic(topic, topology)) return no('internal topic');
  const { chain, localName } = topicChain(topic, topology);
  const last = chain[0];
  if (chain.includes(flow.to)) return no(`has been at ${flow.to}`);
  if (chain.includes(flow.from)) return no(`has been at ${flow.from} before`);
  if (last !== undefined && !flow.forward.includes(last)) return no(`${last} is not forwarded`);
  if (localName === heartbeatsTopic) {
    if (!topology.mm2.heartbeats) return no('internal topic');
  } else if (!matchesFilter(flow.topics, localName)) return no('left out by the topic filter');
  const owner = leftAlone(localName, flow.topics);
  if (owner !== undefined) return no(`own state of ${owner}`);
  const remoteTopic = remoteTopicName(flow.from, topic);
  if (remoteTopic.length > kafkaNameMax) {
    return no(`${remoteTopic} is longer than ${kafkaNameMax} characters`);
  }
  return { carried: true, remoteTopic, hops: chain.length };
}

/** One map to go through: forward from its source to its target, or back. */
export interface TranslationStep {
  readonly flow: FlowId;
  readonly direction: 'forward' | 'inverse';
  /** The topic's name at that flow's source. */
  readonly topic: string;
}

export interface TranslationRoute {
  /** The name at the end of the route. */
  readonly topic: string;
  readonly steps: readonly TranslationStep[];
}

interface Log {
  readonly site: SiteName;
  readonly topic: string;
}

/**
 * The way from the log `topic` at site `from` to the same records at site `to`: back towards their
 * birth as far as is needed, then forward. undefined: these records are not at that site.
 */
export function translationRoute(
  topology: Topology,
  topic: string,
  from: SiteName,
  to: SiteName,
): TranslationRoute | undefined {
  let here: Log = { site: from, topic };
  const back: TranslationStep[] = [];
  for (;;) {
    const forward = forwardRoute(topology, here, to);
    if (forward !== undefined) return { topic: forward.topic, steps: [...back, ...forward.steps] };
    const last = topicChain(here.topic, topology).chain[0];
    if (last === undefined) return undefined;
    const origin: Log = { site: last, topic: here.topic.slice(last.length + 1) };
    back.push({ flow: flowId(last, here.site), direction: 'inverse', topic: origin.topic });
    here = origin;
  }
}

function forwardRoute(topology: Topology, log: Log, to: SiteName): TranslationRoute | undefined {
  if (log.site === to) return { topic: log.topic, steps: [] };
  for (const flow of topology.flows) {
    if (flow.from !== log.site) continue;
    const carried = carriedTopic(flow, topology, log.topic);
    if (!carried.carried) continue;
    const rest = forwardRoute(topology, { site: flow.to, topic: carried.remoteTopic }, to);
    if (rest === undefined) continue;
    const step: TranslationStep = { flow: flow.id, direction: 'forward', topic: log.topic };
    return { topic: rest.topic, steps: [step, ...rest.steps] };
  }
  return undefined;
}
